"""Where dashboards lead: to each other and to Voltair's own page, with the time range."""

from grafana.panels import Json

PAGE = "page"
"""Variable with the address of Voltair's page."""
RANGE = "from=${__from}&to=${__to}"
"""The range as Voltair's page takes it: milliseconds."""
SOURCES = "${datasource:queryparam}&${datasource_raw:queryparam}"


def page_path(path: str, language: str) -> str:
    """Return the address of a view of Voltair's page."""
    return f"${{{PAGE}}}/{path}?lang={language}&{RANGE}"


def to_page(title: str, path: str, language: str) -> Json:
    """Return the link of a cell or point to Voltair's page; `path` may hold `${__data.fields[0]}`."""
    return {"targetBlank": True, "title": title, "url": page_path(path, language)}


def to_device(title: str, board: str, language: str, variable: str) -> Json:
    """Return the link of a series of a device to the dashboard about it."""
    url = (
        f"/d/voltair-{board}-{language}?var-station=${{__field.labels.station}}"
        f"&var-{variable}=${{__field.labels.device}}&${{__url_time_range}}&{SOURCES}"
    )
    return {"targetBlank": False, "title": title, "url": url}


def row_to(title: str, board: str, language: str, variable: str | None = None) -> Json:
    """Return the link of a row of a table, whose first columns are station and device, to another dashboard."""
    more = f"&var-{variable}=${{__data.fields[1]}}" if variable else ""
    url = f"/d/voltair-{board}-{language}?var-station=${{__data.fields[0]}}{more}&${{__url_time_range}}&{SOURCES}"
    return {"targetBlank": False, "title": title, "url": url}
