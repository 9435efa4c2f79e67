//! Lists in a box: header centred and in capitals, cells to the right, long cells broken at words.

use super::{Reply, Unsupported, rows};

/// The widest a column gets, unless a single word is wider.
const WIDEST: usize = 30;

pub fn render(reply: Reply<'_>) -> Result<Vec<u8>, Unsupported> {
    let rows = match reply {
        Reply::MemberList(response) => rows::members(response),
        Reply::Health(list) => rows::health(list),
        Reply::Status(list) => rows::status(list),
        Reply::HashKv(list) => rows::hash_kv(list),
        Reply::Put(_)
        | Reply::Get(_)
        | Reply::Del(_)
        | Reply::Txn(_)
        | Reply::Watch(_)
        | Reply::Grant(_)
        | Reply::Revoke { .. }
        | Reply::KeepAlive(_)
        | Reply::TimeToLive { .. }
        | Reply::Leases(_)
        | Reply::MemberAdd(_)
        | Reply::MemberChange { .. }
        | Reply::Alarm(_)
        | Reply::MoveLeader { .. }
        | Reply::Downgrade { .. }
        | Reply::Auth(_) => return Err(Unsupported("table not supported as output format")),
    };
    Ok(draw(&rows).into_bytes())
}

/// One cell, broken into lines.
struct Cell {
    lines: Vec<String>,
    /// What it was given to fill, which a broken cell rarely does.
    width: usize,
}

pub fn draw(rows: &rows::Rows) -> String {
    let header: Vec<Cell> = rows.header.iter().map(|name| break_lines(&title(name))).collect();
    let body: Vec<Vec<Cell>> =
        rows.cells.iter().map(|row| row.iter().map(|cell| break_lines(cell)).collect()).collect();
    let width =
        |column: usize| std::iter::once(&header).chain(&body).map(|row| row[column].width).max().unwrap_or(0);
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let rule: String = widths.iter().map(|width| format!("+{}", "-".repeat(width + 2))).collect();
    let mut out = format!("{rule}+\n");
    push_row(&mut out, &header, &widths, centre);
    out.push_str(&format!("{rule}+\n"));
    for row in &body {
        push_row(&mut out, row, &widths, right);
    }
    out.push_str(&format!("{rule}+\n"));
    out
}

fn push_row(out: &mut String, row: &[Cell], widths: &[usize], align: impl Fn(&str, usize) -> String) {
    let height = row.iter().map(|cell| cell.lines.len()).max().unwrap_or(0);
    for line in 0..height {
        for (cell, width) in row.iter().zip(widths) {
            let text = cell.lines.get(line).map_or("", String::as_str);
            out.push_str(&format!("| {} ", align(text, *width)));
        }
        out.push_str("|\n");
    }
}

/// Centred; an odd blank goes to the right.
fn centre(text: &str, width: usize) -> String {
    let gap = width - length(text);
    let left = gap / 2;
    format!("{}{text}{}", " ".repeat(left), " ".repeat(gap - left))
}

fn right(text: &str, width: usize) -> String {
    format!("{}{text}", " ".repeat(width - length(text)))
}

fn title(name: &str) -> String {
    name.replace('_', " ").to_uppercase()
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// Breaks a cell into lines as even as they can be: of all ways within the width, the one whose lines leave the least
/// squared space, the last line excepted.
fn break_lines(text: &str) -> Cell {
    let words: Vec<&str> = text.split(' ').collect();
    let lengths: Vec<usize> = words.iter().map(|word| length(word)).collect();
    let limit = lengths.iter().copied().max().unwrap_or(0).max(WIDEST.min(length(text)));
    // best[i]: the least cost of words[i..], and where its first line ends.
    let mut best = vec![(0, words.len()); words.len() + 1];
    for start in (0..words.len()).rev() {
        let mut used = 0;
        let mut choice = None;
        for end in start + 1..=words.len() {
            used += lengths[end - 1] + usize::from(end > start + 1);
            if used > limit {
                break;
            }
            let space = if end == words.len() { 0 } else { limit - used };
            let cost = space * space + best[end].0;
            if choice.is_none_or(|(least, _)| cost < least) {
                choice = Some((cost, end));
            }
        }
        best[start] = choice.expect("one word always fits: the limit is at least the longest");
    }
    let mut lines = Vec::new();
    let mut start = 0;
    while start < words.len() {
        let end = best[start].1;
        lines.push(words[start..end].join(" "));
        start = end;
    }
    Cell { lines, width: limit }
}
