"""People, teams, systems, owners and API credentials. Definitions are applied from files by `syncflows.governance`; screens edit the same rows."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models
from simple_history.models import HistoricalRecords

from meshline.kernel import ids
from ownership.enums import Circuit, OwnerRole, Role, SystemState


class User(AbstractUser):
    """A person, or the service identity behind an API token. Written by `ownership.people`, the admin, and log-in.

    Invariant: a service user has no usable password.
    """

    public_id = models.CharField(max_length=24, unique=True, default=ids.maker("usr"), editable=False)
    role = models.CharField(max_length=20, choices=Role, default=Role.FINANCE_OPS)
    time_zone = models.CharField(max_length=60, default="UTC", help_text="IANA name; times are shown in it")
    out_until = models.DateTimeField(null=True, blank=True, help_text="away until then (UTC); the delegate stands in")
    delegate = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="stands_in_for")
    history = HistoricalRecords(excluded_fields=["password", "last_login"])

    def __str__(self) -> str:
        return self.get_full_name() or self.username

    @property
    def initials(self) -> str:
        return "".join(part[0] for part in str(self).split()[:2]).upper()


class Team(models.Model):
    """People who share a queue. Written by `ownership.people`."""

    name = models.SlugField(max_length=60, unique=True)
    title = models.CharField(max_length=120)
    mailbox = models.EmailField(blank=True)
    members = models.ManyToManyField(User, related_name="teams", blank=True)
    on_call = models.ForeignKey(
        User,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="on_call_for",
        help_text="takes what nobody else owns",
    )
    history = HistoricalRecords(m2m_fields=[members])

    def __str__(self) -> str:
        return self.title


class System(models.Model):
    """A connected application, as far as people and workers see its state. Its definition is a governed version; `name` joins them.

    Written by `governance.apply` (title, connector), `engine.health` (acts of people) and `engine.limits` (state and circuit).
    Every change of the circuit leaves an `engine.CircuitChange` with its reason and numbers.
    """

    name = models.SlugField(max_length=60, unique=True)
    title = models.CharField(max_length=120)
    connector = models.CharField(max_length=40)
    environment = models.CharField(max_length=20, default="production")
    state = models.CharField(max_length=10, choices=SystemState, default=SystemState.UP)
    state_reason = models.TextField(blank=True)
    state_since = models.DateTimeField(null=True, blank=True)
    last_ok_at = models.DateTimeField(null=True, blank=True, help_text="last answer that was not an outage")
    retry_at = models.DateTimeField(null=True, blank=True, help_text="while down: no call before then")
    consecutive_failures = models.PositiveIntegerField(default=0)
    circuit = models.CharField(max_length=10, choices=Circuit, default=Circuit.CLOSED)
    reopenings = models.PositiveIntegerField(
        default=0, help_text="tries in a row that failed; each doubles the next wait"
    )
    quiet_until = models.DateTimeField(
        null=True, blank=True, help_text="it asked us to call no more before then (Retry-After)"
    )
    history = HistoricalRecords(
        excluded_fields=["last_ok_at", "consecutive_failures", "circuit", "reopenings", "quiet_until"]
    )

    def __str__(self) -> str:
        return self.title


class FlowOwner(models.Model):
    """One cell of the ownership matrix: who answers for a flow in one role, and who stands behind. Written by `ownership.owners`.

    Invariant: one row per flow and role; a row names a person or a team, or both.
    """

    flow = models.SlugField(max_length=80, help_text="the flow's name")
    role = models.CharField(max_length=20, choices=OwnerRole)
    person = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="owned_flows")
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.PROTECT, related_name="owned_flows")
    fallback = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="fallback_for")
    history = HistoricalRecords()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["flow", "role"], name="one_owner_per_flow_and_role"),
            models.CheckConstraint(
                condition=models.Q(person__isnull=False) | models.Q(team__isnull=False),
                name="flow_owner_names_somebody",
            ),
        ]


class ApiToken(models.Model):
    """An API credential. Written by `ownership.tokens`. Only the SHA-256 of the secret is kept; the secret is shown once."""

    public_id = models.CharField(max_length=24, unique=True, default=ids.maker("tok"), editable=False)
    name = models.CharField(max_length=120)
    user = models.ForeignKey(
        User, on_delete=models.CASCADE, related_name="tokens", help_text="the service identity it acts as"
    )
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    systems = models.JSONField(default=list, help_text="sources it may send events for; empty means any")
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=200)
    last_used_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
