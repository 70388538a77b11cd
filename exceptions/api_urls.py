"""Addresses below /api/v1/ of tickets and approvals."""

from django.urls import path

from exceptions import api_approvals, api_bulk, api_tickets

TICKET = "tickets/<slug:public_id>/"

urlpatterns = [
    path("tickets/", api_tickets.TicketList.as_view(), name="api-tickets"),
    path("tickets/bulk/", api_bulk.TicketBulk.as_view(), name="api-tickets-bulk"),
    path(TICKET, api_tickets.TicketShow.as_view(), name="api-ticket"),
    path(f"{TICKET}comment/", api_tickets.TicketComment.as_view(), name="api-ticket-comment"),
    path(f"{TICKET}assign/", api_tickets.TicketAssign.as_view(), name="api-ticket-assign"),
    path(f"{TICKET}acknowledge/", api_tickets.TicketAcknowledge.as_view(), name="api-ticket-acknowledge"),
    path(f"{TICKET}wait/", api_tickets.TicketWait.as_view(), name="api-ticket-wait"),
    path(f"{TICKET}fix/", api_tickets.TicketFix.as_view(), name="api-ticket-fix"),
    path(f"{TICKET}replay/", api_tickets.TicketReplay.as_view(), name="api-ticket-replay"),
    path(f"{TICKET}accept/", api_tickets.TicketAccept.as_view(), name="api-ticket-accept"),
    path(f"{TICKET}compensate/", api_tickets.TicketCompensate.as_view(), name="api-ticket-compensate"),
    path(f"{TICKET}keep/", api_tickets.TicketKeep.as_view(), name="api-ticket-keep"),
    path(f"{TICKET}resolve/", api_tickets.TicketResolve.as_view(), name="api-ticket-resolve"),
    path(f"{TICKET}reopen/", api_tickets.TicketReopen.as_view(), name="api-ticket-reopen"),
    path("approvals/", api_approvals.ApprovalList.as_view(), name="api-approvals"),
    path("approvals/bulk/", api_bulk.ApprovalBulk.as_view(), name="api-approvals-bulk"),
    path("approvals/<slug:public_id>/", api_approvals.ApprovalShow.as_view(), name="api-approval"),
    path("approvals/<slug:public_id>/decide/", api_approvals.ApprovalDecide.as_view(), name="api-approval-decide"),
]
