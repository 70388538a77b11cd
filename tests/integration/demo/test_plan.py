"""The demo's table of parts."""

from pathlib import Path

from meshline.demo import plan
from meshline.demo.plan import Demo


def _demo(folder: Path) -> Demo:
    return Demo(root=folder, folder=folder, port=8123, sandbox_port=8124)


def test_product_is_what_has_to_run_and_names_where_the_page_is(tmp_path: Path) -> None:
    parts = {part.name: part for part in plan.product(_demo(tmp_path))}
    assert list(parts) == ["web", "worker", "beat"]
    assert parts["web"].ready_url == "http://127.0.0.1:8123/healthz"
    assert [name for name, part in parts.items() if part.restarts] == ["worker", "beat"]


def test_environment_names_the_systems_and_keeps_one_private_secret(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    environment = plan.environment(_demo(tmp_path))
    assert environment["MESHLINE_SANDBOX_ERP_URL"] == "http://127.0.0.1:8124/erp"
    assert environment["MESHLINE_SANDBOX_CRM_WEBHOOK_SECRET"].startswith("whsec_")
    assert "PYTHONDONTWRITEBYTECODE" not in environment
    assert plan.environment(_demo(tmp_path)) == environment
    assert (tmp_path / "webhook_secret").stat().st_mode & 0o777 == 0o600
