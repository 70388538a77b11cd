"""The invented company of the demo: Kestrel Instruments, maker of measuring equipment. Nobody in it exists."""

from typing import NamedTuple

COMPANY = "Kestrel Instruments"
CURRENCY = "USD"


class Product(NamedTuple):
    sku: str
    name: str
    list_price: str


class Account(NamedTuple):
    name: str
    country: str
    sector: str
    tier: str


PRODUCTS = (
    Product("KI-CAL-100", "Caliper 100", "240.00"),
    Product("KI-CAL-300", "Caliper 300 Digital", "615.00"),
    Product("KI-THM-020", "Thermoprobe 20", "189.50"),
    Product("KI-THM-080", "Thermoprobe 80 Lab", "1290.00"),
    Product("KI-FLW-200", "Flowmeter 200", "3480.00"),
    Product("KI-FLW-500", "Flowmeter 500 Sanitary", "7925.00"),
    Product("KI-SCP-010", "Bench Scope 10", "4150.00"),
    Product("KI-SCP-040", "Bench Scope 40", "11800.00"),
    Product("KI-SPC-700", "Spectrometer 700", "26500.00"),
    Product("KI-LOG-016", "Datalogger 16", "890.00"),
    Product("KI-LOG-064", "Datalogger 64", "2375.00"),
    Product("KI-SVC-001", "Calibration Plan, one year", "1450.00"),
)
SALESPEOPLE = (
    "Ingrid Solheim",
    "Tomasz Wrona",
    "Adaeze Nwosu",
    "Luca Ferrante",
    "Priya Raghunathan",
    "Owen Tregarth",
    "Mirela Stan",
    "Hiro Nakadai",
    "Camila Duarte",
    "Joost van Rhee",
)
ACCOUNTS = (
    Account("Albatros Pumpen", "DE", "machinery", "gold"),
    Account("Amberley Foundry", "GB", "metals", "silver"),
    Account("Aurelia Vaccines", "CH", "pharma", "gold"),
    Account("Baltic Cold Chain", "LT", "logistics", "bronze"),
    Account("Bergstad Papir", "NO", "paper", "silver"),
    Account("Bluewater Desalination", "AE", "water", "gold"),
    Account("Brightmoor Breweries", "GB", "food", "bronze"),
    Account("Cascadia Avionics", "US", "aerospace", "gold"),
    Account("Cedar Hollow Dairy", "US", "food", "bronze"),
    Account("Cerrado Grains", "BR", "food", "silver"),
    Account("Copperline Mining", "CL", "mining", "gold"),
    Account("Dalriada Distillers", "GB", "food", "silver"),
    Account("Deltaport Terminals", "NL", "logistics", "silver"),
    Account("Eastgate Hospitals", "KE", "health", "bronze"),
    Account("Ebro Ceramics", "ES", "ceramics", "bronze"),
    Account("Fenwick & Daughters", "IE", "machinery", "bronze"),
    Account("Fjordkraft Marine", "NO", "marine", "silver"),
    Account("Glasshouse Optics", "US", "optics", "gold"),
    Account("Granit Nord", "SE", "mining", "silver"),
    Account("Harmattan Solar", "NG", "energy", "silver"),
    Account("Helvia Watch Works", "CH", "precision", "gold"),
    Account("Ironbridge Rail", "GB", "transport", "silver"),
    Account("Jacaranda Textiles", "ZA", "textiles", "bronze"),
    Account("Kobo Ink & Pigment", "JP", "chemicals", "silver"),
    Account("Lindqvist Turbin", "SE", "energy", "gold"),
    Account("Maple Ridge Labs", "CA", "research", "silver"),
    Account("Meridian Concrete", "MX", "construction", "bronze"),
    Account("Nagoya Bearing Union", "JP", "machinery", "gold"),
    Account("Northlight Semicon", "US", "electronics", "gold"),
    Account("Olive Coast Oils", "IT", "food", "bronze"),
    Account("Orinoco Chemicals", "CO", "chemicals", "silver"),
    Account("Pannonia Motors", "HU", "automotive", "silver"),
    Account("Quarry Hill Brick", "AU", "construction", "bronze"),
    Account("Redfern Biotech", "AU", "pharma", "silver"),
    Account("Saltmarsh Fisheries", "IS", "food", "bronze"),
    Account("Silverthread Cables", "IN", "electronics", "silver"),
    Account("Tamarind Beverages", "TH", "food", "bronze"),
    Account("Torrent Hydro", "AT", "energy", "gold"),
    Account("Vega Composites", "US", "aerospace", "silver"),
    Account("Wolfram Tooling", "PL", "machinery", "silver"),
    Account("Zephyr Windparks", "DK", "energy", "gold"),
)
