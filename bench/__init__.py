"""What the product costs and whether it keeps its promises under fire. Imports the product; nothing of the product or its tests imports this."""
