// What makes the console livelier than plain pages.  Every page works without it.
//
// htmx exchanges the content of a page (`#main`) when a link is followed or a form sent, so what is here begins its work
// anew after each exchange, and lets go of what is not on the page any more.

import { startCharts } from "./charts.js";
import { startDialogs } from "./dialogs.js";
import { startKeys } from "./keys.js";
import { startLists } from "./lists.js";
import { startLive } from "./live.js";
import { startTails } from "./tail.js";
import { startTheme } from "./switch.js";

const renewed = [startLists(), startCharts(), startTails(), startLive()];
startTheme();
startDialogs();
startKeys();

const renew = () => renewed.forEach((one) => one());
renew();
document.addEventListener("htmx:afterSettle", renew);
document.documentElement.dataset.ready = "";
