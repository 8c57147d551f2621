//! Grafana's model of dashboards in JSON, as far as ours use it.

// Most of it is only read so that everything else is refused.
#![allow(dead_code, reason = "each user of this file reads a part")]

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dashboard {
    pub uid: String,
    pub title: String,
    pub description: String,
    pub tags: Vec<String>,
    pub schema_version: u16,
    pub editable: bool,
    /// 0, 1 or 2: no, a shared crosshair, a shared tooltip.
    pub graph_tooltip: u8,
    pub refresh: String,
    pub time: Time,
    pub templating: List<Variable>,
    pub annotations: List<Nothing>,
    pub panels: Vec<Panel>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Time {
    pub from: String,
    pub to: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List<T> {
    pub list: Vec<T>,
}

/// Ours has none of these.
#[derive(Debug, Deserialize)]
pub enum Nothing {}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Variable {
    DataSource(DataSourceVariable),
    Query(QueryVariable),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DataSourceVariable {
    pub name: String,
    pub label: String,
    /// The kind of data source.
    pub query: String,
    pub refresh: u8,
    pub multi: bool,
    pub include_all: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QueryVariable {
    pub name: String,
    pub label: String,
    pub datasource: DataSource,
    pub query: Query,
    /// The text of the query once more.
    pub definition: String,
    /// 0, 1 or 2: never, when the dashboard is loaded, when the range of time changes.
    pub refresh: u8,
    /// 0 to 8: not, by letters, ...
    pub sort: u8,
    pub multi: bool,
    pub include_all: bool,
    pub all_value: String,
    pub current: Current,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Query {
    pub query: String,
    pub ref_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Current {
    pub text: Vec<String>,
    pub value: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSource {
    #[serde(rename = "type")]
    pub kind: String,
    pub uid: String,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Panel {
    Row(Row),
    TimeSeries(Chart<Lines, LinesOptions>),
    Stat(Chart<Number, NumberOptions>),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Row {
    pub id: u32,
    pub title: String,
    pub collapsed: bool,
    pub grid_pos: GridPos,
    /// Those of a collapsed row.
    pub panels: Vec<Nothing>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Chart<D, O> {
    pub id: u32,
    pub title: String,
    pub datasource: DataSource,
    pub grid_pos: GridPos,
    pub field_config: FieldConfig<D>,
    pub targets: Vec<Target>,
    pub options: O,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridPos {
    pub x: u32,
    pub y: u32,
    pub w: u32,
    pub h: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldConfig<D> {
    pub defaults: D,
    pub overrides: Vec<Nothing>,
}

/// The units of Grafana that ours use, by their ids.
#[derive(Debug, Deserialize)]
pub enum Unit {
    #[serde(rename = "none")]
    None,
    #[serde(rename = "s")]
    Seconds,
    #[serde(rename = "percentunit")]
    Share,
    /// With binary prefixes, as the next one.
    #[serde(rename = "bytes")]
    Bytes,
    #[serde(rename = "binBps")]
    BytesPerSecond,
    #[serde(rename = "ops")]
    PerSecond,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Number {
    pub unit: Unit,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lines {
    pub unit: Unit,
    pub min: f64,
    pub custom: Custom,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Custom {
    pub draw_style: DrawStyle,
    pub line_width: u8,
    pub fill_opacity: u8,
    pub show_points: ShowPoints,
    pub stacking: Option<Stacking>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DrawStyle {
    Line,
    Bars,
    Points,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShowPoints {
    Auto,
    Never,
    Always,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stacking {
    pub mode: StackingMode,
    pub group: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StackingMode {
    None,
    Normal,
    Percent,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinesOptions {
    pub legend: Legend,
    pub tooltip: Tooltip,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Legend {
    pub display_mode: DisplayMode,
    pub placement: Placement,
    pub calcs: Vec<Calculation>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DisplayMode {
    List,
    Table,
    Hidden,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Placement {
    Bottom,
    Right,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Calculation {
    LastNotNull,
    Max,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tooltip {
    pub mode: TooltipMode,
    pub sort: Order,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TooltipMode {
    Single,
    Multi,
    None,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    Asc,
    Desc,
    None,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NumberOptions {
    pub reduce_options: ReduceOptions,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReduceOptions {
    pub calcs: Vec<Calculation>,
    /// Which fields: empty for all numbers.
    pub fields: String,
    /// Each value, instead of one for each series.
    pub values: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Target {
    pub ref_id: String,
    pub datasource: DataSource,
    pub expr: String,
    pub legend_format: String,
    pub range: bool,
}

impl Panel {
    pub fn id(&self) -> u32 {
        match self {
            Self::Row(of) => of.id,
            Self::TimeSeries(of) => of.id,
            Self::Stat(of) => of.id,
        }
    }

    pub fn title(&self) -> &str {
        match self {
            Self::Row(of) => &of.title,
            Self::TimeSeries(of) => &of.title,
            Self::Stat(of) => &of.title,
        }
    }

    pub fn place(&self) -> GridPos {
        match self {
            Self::Row(of) => of.grid_pos,
            Self::TimeSeries(of) => of.grid_pos,
            Self::Stat(of) => of.grid_pos,
        }
    }

    pub fn targets(&self) -> &[Target] {
        match self {
            Self::Row(_) => &[],
            Self::TimeSeries(of) => &of.targets,
            Self::Stat(of) => &of.targets,
        }
    }

    /// That of the panel itself; a row has none.
    pub fn source(&self) -> Option<&DataSource> {
        match self {
            Self::Row(_) => None,
            Self::TimeSeries(of) => Some(&of.datasource),
            Self::Stat(of) => Some(&of.datasource),
        }
    }
}
