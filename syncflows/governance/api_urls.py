"""Addresses below /api/v1/ of what is defined and who owns it."""

from django.urls import path

from syncflows.governance import api

urlpatterns = [
    path("flows/", api.FlowList.as_view(), name="api-flows"),
    path("flows/<slug:name>/", api.FlowShow.as_view(), name="api-flow"),
    path("owners/", api.OwnerList.as_view(), name="api-owners"),
    path("contracts/", api.ContractList.as_view(), name="api-contracts"),
    path("contracts/<slug:name>/", api.ContractShow.as_view(), name="api-contract"),
    path("systems/", api.SystemList.as_view(), name="api-systems"),
]
