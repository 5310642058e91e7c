import pytest

pytest.register_assert_rewrite("support.store_contract", "support.stores")
