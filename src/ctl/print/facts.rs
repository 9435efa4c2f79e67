//! What the offline tool found out, in all formats.

use super::{Format, rows::Rows, table, write_out};
use crate::ctl::exit::Exit;

/// One line of facts.
pub struct Facts {
    pub header: &'static [&'static str],
    pub row: Vec<String>,
    pub json: String,
    pub fields: Vec<(&'static str, String)>,
}

impl Facts {
    pub fn show(self, format: Format) -> Result<(), Exit> {
        let Facts { header, row, json, fields } = self;
        let text = match format {
            Format::Simple => row.join(", ") + "\n",
            Format::Table => table::draw(&Rows { header, cells: vec![row] }),
            Format::Json => format!("{json}\n"),
            Format::Fields => fields.iter().map(|(name, value)| format!("\"{name}\" : {value}\n")).collect(),
            Format::Protobuf => return Err(Exit::bad_feature("protobuf not supported as output format")),
        };
        write_out(text.as_bytes())
    }
}
