"""`POST /ingest/<system>/`: a system's own webhook, checked by its own signature. Answered when committed.

Nothing of an untrusted delivery is stored. A trusted one that cannot be read is kept with a ticket. No input makes this fail with 500.
"""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from meshline.kernel import actors
from syncflows.connectors.errors import BadWebhook, Misconfigured
from syncflows.engine import bodies, doorways
from syncflows.engine.door import groups, webhooks
from syncflows.engine.door.deliveries import Delivery
from syncflows.engine.soft import batches
from syncflows.governance import catalog


class SystemWebhook(APIView):
    """Outside the token scheme: the signature says who calls."""

    authentication_classes = ()
    permission_classes = ()
    content_negotiation_class = doorways.AlwaysJSON
    schema = None

    def post(self, request: Request, system: str) -> Response:
        definitions = catalog.current()
        webhooks.known(system, definitions)
        body = bodies.read(request._request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            delivery: Delivery = webhooks.read(
                system, headers=headers, body=body, uri=request.build_absolute_uri(), definitions=definitions
            )
        except (BadWebhook, Misconfigured) as error:
            raise webhooks.refusal(error, system=system) from error
        arrivals = batches.marked(delivery.arrivals, headers=headers, by=actors.system(f"webhook of {system}"))
        status, document = delivery.tell(groups.take(arrivals, size_bytes=len(body)))
        return Response(document, status=status)
