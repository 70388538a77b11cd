"""The names of the icons in the vendored sprite; must not render anything.

`tools/vendor.py` builds the sprite from this list, `{% icon %}` refuses names outside it.
"""

_NAMES = """
activity adjustments alert-circle alert-triangle arrow-back-up arrow-down arrow-left arrow-right
arrow-up arrows-diff ban bell bolt book building calendar check checks chevron-down chevron-left
chevron-right circle-check circle-dashed circle-dot circle-x clock cloud code columns copy
currency-dollar database device-desktop dots download edit external-link eye file-code file-text
filter flag git-branch hand-stop hash heart-rate-monitor help history inbox info-circle key
keyboard layout-dashboard link list-details lock login logout mail menu-2 message minus moon
package player-pause player-play plug plug-connected plus receipt refresh report-money rotate-clockwise
route-2 scale search selector send server settings shield sitemap star sun tag timeline trash
truck user user-check user-plus users world x zoom-question
"""
ICONS = frozenset(_NAMES.split())
