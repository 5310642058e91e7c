// What makes the console livelier than plain pages.  Every page works without it.
//
// htmx exchanges the content of a page (`#main`) when a link is followed or a form sent, and a live page exchanges it when
// the server has another role, so what is here begins its work anew after that, and lets go of what is not there any more.

import { startCharts } from "./charts.js";
import { startDialogs } from "./dialogs.js";
import { startFollowing } from "./following.js";
import { startKeys } from "./keys.js";
import { startLists } from "./lists.js";
import { startLive } from "./live.js";
import { startTails } from "./tail.js";
import { startTheme } from "./switch.js";

const renewed = [startLists(), startCharts(), startTails(), startLive()];
startTheme();
startDialogs();
startKeys();
startFollowing();

const renew = () => renewed.forEach((one) => one());
renew();
for (const event of ["htmx:afterSettle", "exchanged"]) document.addEventListener(event, renew);
document.documentElement.dataset.ready = "";
