//! One line of JSON for each event, in the form of etcd's logger: `level`, `ts`, `caller`, `msg`, then the fields.
//! Source: contract-cli 7.
use detcd_runtime_tokio::clock;
use serde_json::Value;
use std::{
    fmt,
    fs::OpenOptions,
    io::{self, Write},
    sync::{Mutex, PoisonError},
};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt as _},
    util::SubscriberInitExt as _,
};

/// Marks an event after which the process ends.
const FATAL: &str = "fatal";

/// Sets the log up for the whole process.
///
/// `outputs`: `default`, `stdout`, `stderr` or file paths, with commas between. Errors are for the operator.
pub fn start(level: &str, outputs: &str) -> Result<(), String> {
    let filter = match level {
        "debug" => LevelFilter::DEBUG,
        "info" => LevelFilter::INFO,
        "warn" => LevelFilter::WARN,
        // There is one level for trouble; panics and fatal lines are of it.
        "error" | "panic" | "fatal" => LevelFilter::ERROR,
        other => return Err(format!("unrecognized level: {other:?}")),
    };
    let mut writers = Vec::new();
    for output in outputs.split(',').map(str::trim).filter(|output| !output.is_empty()) {
        writers.push(writer(output).map_err(|error| format!("cannot open log output {output}: {error}"))?);
    }
    let lines = Lines { writers: Mutex::new(writers) };
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .try_init()
        .map_err(|error| error.to_string())?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let why = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let why = why.unwrap_or("a panic without words");
        tracing::error!(fatal = true, place, "{why}");
        // An assertion that failed anywhere means that this member is not to be trusted; the exit code is Go's.
        std::process::exit(2);
    }));
    Ok(())
}

fn writer(output: &str) -> io::Result<Box<dyn Write + Send>> {
    Ok(match output {
        "default" | "stderr" => Box::new(io::stderr()),
        "stdout" => Box::new(io::stdout()),
        "systemd/journal" => return Err(io::Error::other("not built yet")),
        path => Box::new(OpenOptions::new().create(true).append(true).open(path)?),
    })
}

struct Lines {
    writers: Mutex<Vec<Box<dyn Write + Send>>>,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let facts = event.metadata();
        let level = match *facts.level() {
            _ if fields.fatal => FATAL,
            Level::ERROR => "error",
            Level::WARN => "warn",
            Level::INFO => "info",
            Level::DEBUG | Level::TRACE => "debug",
        };
        let place = (facts.file().unwrap_or_default(), facts.line().unwrap_or_default());
        let line = line(level, clock::wall_nanos(), place, &fields.message, &fields.rest);
        for writer in self.writers.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
            // There is nowhere to tell that the log cannot be written.
            writer.write_all(line.as_bytes()).and_then(|()| writer.flush()).ok();
        }
    }
}

/// One line, its end included.
fn line(
    level: &str,
    wall_nanos: u64,
    (file, number): (&str, u32),
    message: &str,
    fields: &[(&str, Value)],
) -> String {
    // The folder and the file.
    let caller = file.rmatch_indices('/').nth(1).and_then(|(at, _)| file.get(at + 1..)).unwrap_or(file);
    let text = |text: &str| Value::from(text).to_string();
    let mut line = format!(
        "{{\"level\":{},\"ts\":{},\"caller\":{},\"msg\":{}",
        text(level),
        text(&clock::rfc3339(wall_nanos, 6)),
        text(&format!("{caller}:{number}")),
        text(message)
    );
    for (name, value) in fields {
        line += &format!(",{}:{value}", text(name));
    }
    line + "}\n"
}

#[derive(Default)]
struct Fields {
    message: String,
    fatal: bool,
    /// In the order they were given.
    rest: Vec<(&'static str, Value)>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            (FATAL, _) => self.fatal = true,
            (name, value) => self.rest.push((name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        // Rust prints a list of texts as JSON has it.
        let list = if text.starts_with('[') { serde_json::from_str(&text).ok() } else { None };
        match list.filter(|_| field.name() != "message") {
            Some(list) => self.put(field, list),
            None => self.put(field, text.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_etcds() {
        let fields = [("name", Value::from("a\"b")), ("list", Value::from(vec!["x", "y"]))];
        let said = line("info", 1_000, ("runtime-tokio/src/net/dial.rs", 12), "hello\n", &fields);
        assert_eq!(
            said,
            "{\"level\":\"info\",\"ts\":\"1970-01-01T00:00:00.000001Z\",\"caller\":\"net/dial.rs:12\",\
             \"msg\":\"hello\\n\",\"name\":\"a\\\"b\",\"list\":[\"x\",\"y\"]}\n"
        );
    }
}
