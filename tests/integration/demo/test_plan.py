"""The demo's table of parts."""

from pathlib import Path

from meshline.demo import plan
from meshline.demo.plan import Demo


def test_parts_start_in_the_order_in_which_they_need_each_other(tmp_path: Path) -> None:
    demo = Demo(root=tmp_path, port=8123, sandbox_port=8124)
    assert [part.name for part in plan.parts(demo)] == ["sandbox", "web", "worker", "beat", "traffic"]
    assert plan.parts(demo)[1].ready_url == "http://127.0.0.1:8123/healthz"


def test_environment_names_the_systems_and_keeps_one_private_secret(tmp_path: Path) -> None:
    demo = Demo(root=tmp_path, port=8123, sandbox_port=8124)
    demo.folder.mkdir(parents=True)
    environment = plan.environment(demo)
    assert environment["MESHLINE_SANDBOX_ERP_URL"] == "http://127.0.0.1:8124/erp"
    assert environment["MESHLINE_DEMO_WEBHOOK_URL"] == "http://127.0.0.1:8123/ingest/crm/"
    assert environment["MESHLINE_SANDBOX_CRM_WEBHOOK_SECRET"].startswith("whsec_")
    assert plan.environment(demo) == environment
    assert (demo.folder / "webhook_secret").stat().st_mode & 0o777 == 0o600
