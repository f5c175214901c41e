"""What each kind of panel adds to Grafana's JSON: `options` and `fieldConfig.defaults.custom`."""

from collections.abc import Callable
from typing import Any

from dashboards.panels import MapLayer, PanelSpec
from dashboards.style import AMBER, BLUE, GREY

Json = dict[str, Any]


def _timeseries_custom(panel: PanelSpec) -> Json:
    return {
        "axisPlacement": "auto",
        "drawStyle": "line",
        "fillOpacity": 30 if panel.stacked else 8,
        "lineInterpolation": "linear",
        "lineWidth": 2,
        "pointSize": 4,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": "normal" if panel.stacked else "none"},
        "thresholdsStyle": {"mode": "dashed" if panel.style.limit_lines else "off"},
    }


def _timeseries_options(_panel: PanelSpec) -> Json:
    return {
        "legend": {
            "calcs": ["lastNotNull"],
            "displayMode": "list",
            "placement": "bottom",
            "showLegend": True,
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


def _reduced(calc: str = "lastNotNull", *, rows: bool = False) -> Json:
    return {"calcs": [calc], "fields": "", "values": rows}


def _gauge_options(_panel: PanelSpec) -> Json:
    return {
        "orientation": "auto",
        "reduceOptions": _reduced(),
        "showThresholdLabels": False,
        "showThresholdMarkers": True,
    }


def _bargauge_options(panel: PanelSpec) -> Json:
    return {
        "displayMode": "basic",
        "minVizHeight": 10,
        "minVizWidth": 0,
        "orientation": "horizontal",
        "reduceOptions": _reduced(rows=panel.bar_rows),
        "showUnfilled": True,
    }


def _history_options(_panel: PanelSpec) -> Json:
    return {
        "colWidth": 0.95,
        "legend": {
            "calcs": [],
            "displayMode": "list",
            "placement": "bottom",
            "showLegend": True,
        },
        "rowHeight": 0.9,
        "showValue": "never",
        "tooltip": {"mode": "single", "sort": "none"},
    }


def _heatmap_options(panel: PanelSpec) -> Json:
    """Bins that the store already has: `calculate` false, one series for each upper edge."""
    axis = {"axisPlacement": "left", "reverse": False, "unit": panel.style.unit}
    return {
        "calculate": False,
        "cellGap": 1,
        # Cividis: even steps of lightness for every kind of colour vision (Nunez et al., 2018).
        "color": {
            "exponent": 0.5,
            "fill": BLUE,
            "mode": "scheme",
            "reverse": False,
            "scale": "exponential",
            "scheme": "Cividis",
            "steps": 64,
        },
        "exemplars": {"color": GREY},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "le"},
        "tooltip": {"mode": "single", "show": True, "yHistogram": False},
        "yAxis": axis,
    }


def _histogram_options(_panel: PanelSpec) -> Json:
    return {
        "bucketOffset": 0,
        "combine": False,
        "legend": {
            "calcs": [],
            "displayMode": "list",
            "placement": "bottom",
            "showLegend": False,
        },
    }


def _stat_options(_panel: PanelSpec) -> Json:
    return {
        "colorMode": "value",
        "graphMode": "area",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": _reduced(),
        "textMode": "auto",
    }


def _timeline_options(_panel: PanelSpec) -> Json:
    return {
        "alignValue": "left",
        "legend": {
            "calcs": [],
            "displayMode": "list",
            "placement": "bottom",
            "showLegend": True,
        },
        "mergeValues": True,
        "rowHeight": 0.85,
        "showValue": "auto",
        "tooltip": {"mode": "single", "sort": "none"},
    }


def _table_options(panel: PanelSpec) -> Json:
    order = [{"desc": panel.sort_descending, "displayName": panel.sort_by}]
    return {
        "showHeader": True,
        "sortBy": order if panel.sort_by else [],
    }


def _geomap_options(panel: PanelSpec) -> Json:
    day_night = {
        "config": {"nightColor": "#00000080", "show": "to", "sun": True},
        "name": "Day and night",
        "opacity": 1,
        "tooltip": False,
        "type": "dayNight",
    }
    return {
        # A world from Grafana's own files: the default base map is fetched from the internet.
        "basemap": {
            "config": {
                "rules": [],
                "src": "public/maps/countries.geojson",
                "style": {"color": {"fixed": GREY}, "lineWidth": 1, "opacity": 0.25},
            },
            "name": "Countries",
            "type": "geojson",
        },
        "controls": {"mouseWheelZoom": True, "showAttribution": False, "showZoom": True},
        "layers": [day_night, *(_layer(layer) for layer in panel.layers)],
        "tooltip": {"mode": "details"},
        "view": {"allLayers": True, "id": "zero", "lat": 0, "lon": 0, "zoom": 1},
    }


def _layer(layer: MapLayer) -> Json:
    colour: Json = {"fixed": layer.colour or AMBER}
    if layer.colour_field:
        colour = {"field": layer.colour_field, "fixed": BLUE}
    style: Json = {"color": colour, "lineWidth": 2, "opacity": 0.9}
    if layer.kind == "markers":
        size: Json = {"fixed": 4, "max": 14 if layer.size_field else 8, "min": 2}
        style |= {"size": size | ({"field": layer.size_field} if layer.size_field else {})}
    return {
        "config": {"showLegend": False, "style": style},
        "filterData": {"id": "byRefId", "options": layer.ref_id},
        "location": {"latitude": "lat", "longitude": "lon", "mode": "coords"},
        "name": layer.name,
        "tooltip": True,
        "type": layer.kind,
    }


def _no_custom(_panel: PanelSpec) -> Json:
    return {}


def _timeline_custom(_panel: PanelSpec) -> Json:
    return {"fillOpacity": 80, "lineWidth": 0}


def _table_custom(_panel: PanelSpec) -> Json:
    return {
        "align": "auto",
        "cellOptions": {"type": "auto"},
        "displayMode": "auto",
        "inspect": False,
    }


def _history_custom(_panel: PanelSpec) -> Json:
    return {"fillOpacity": 80, "lineWidth": 1}


def _heatmap_custom(_panel: PanelSpec) -> Json:
    return {"scaleDistribution": {"type": "linear"}}


def _histogram_custom(_panel: PanelSpec) -> Json:
    return {"fillOpacity": 80, "lineWidth": 1}


CUSTOM: dict[str, Callable[[PanelSpec], Json]] = {
    "timeseries": _timeseries_custom,
    "stat": _no_custom,
    "gauge": _no_custom,
    "bargauge": _no_custom,
    "status-history": _history_custom,
    "heatmap": _heatmap_custom,
    "histogram": _histogram_custom,
    "state-timeline": _timeline_custom,
    "table": _table_custom,
    "geomap": _no_custom,
}
OPTIONS: dict[str, Callable[[PanelSpec], Json]] = {
    "timeseries": _timeseries_options,
    "stat": _stat_options,
    "gauge": _gauge_options,
    "bargauge": _bargauge_options,
    "status-history": _history_options,
    "heatmap": _heatmap_options,
    "histogram": _histogram_options,
    "state-timeline": _timeline_options,
    "table": _table_options,
    "geomap": _geomap_options,
}
