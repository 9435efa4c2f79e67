//! The `etcd` process: flags, log, signals and exit codes. Source: contract-cli 1 and 6.
use crate::{
    config::{self, EnvironmentTrouble, FLAGS, Misuse, Settings, Values},
    logging,
    run::{self, Listeners},
};
use detcd_runtime_tokio::threads::Reactors;
use std::{process::ExitCode, sync::Arc};
use tokio::signal::unix::{SignalKind, signal};

/// Runs until a signal comes; what `main` of `etcd` does.
pub fn main(args: &[String]) -> ExitCode {
    let mut values = match Values::parse(FLAGS, args) {
        Ok(values) => values,
        Err(Misuse::Help) => {
            eprint!("{}", config::USAGE);
            print!("{}", config::flag_lines());
            return ExitCode::SUCCESS;
        }
        Err(Misuse::Line(line)) => {
            eprint!("{line}\n{}", config::USAGE);
            return ExitCode::from(2);
        }
    };
    if values.rest.is_empty() && values.switch("version") {
        print!("{}", config::version_lines());
        return ExitCode::SUCCESS;
    }
    let environment = values.add_environment(std::env::vars_os().filter_map(|(name, value)| {
        // What is no text is not for us.
        Some((name.into_string().ok()?, value.into_string().ok()?))
    }));
    if let Err(why) = logging::start(values.text("log-level"), values.text("log-outputs")) {
        eprintln!("{why}");
        return ExitCode::FAILURE;
    }
    match environment {
        Ok(seen) => {
            for (name, value) in seen.used {
                tracing::info!(
                    "variable-name" = name,
                    "variable-value" = value,
                    "recognized and used environment variable"
                );
            }
            for name in seen.unknown {
                tracing::warn!("environment-variable" = name, "unrecognized environment variable");
            }
        }
        Err(EnvironmentTrouble::Shadowed(shadowed)) => {
            tracing::error!(fatal = true, "environment-variable" = shadowed.variable, "{shadowed}");
            return ExitCode::FAILURE;
        }
        Err(EnvironmentTrouble::Value(why)) => {
            tracing::error!(fatal = true, error = why, "failed to read an environment variable");
            return ExitCode::FAILURE;
        }
    }
    tracing::info!(args = ?std::env::args().collect::<Vec<_>>(), "Running: ");
    let settings = match Settings::from_values(&values) {
        Ok(settings) => settings,
        Err(why) => {
            tracing::warn!(error = why, "failed to verify flags");
            return ExitCode::FAILURE;
        }
    };
    match serve(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            tracing::error!(fatal = true, error = why, "discovery failed");
            ExitCode::FAILURE
        }
    }
}

fn serve(settings: &Settings) -> Result<(), String> {
    if settings.name == "default" {
        tracing::warn!("'name' is not set, so the member is called \"default\"");
    }
    let member_folder = settings.data_dir.join("member");
    if member_folder.is_dir() {
        tracing::info!(
            "data-dir" = %settings.data_dir.display(),
            "dir-type" = "member",
            "server has already been initialized"
        );
    } else {
        tracing::info!(
            "data-dir" = %settings.data_dir.display(),
            "dir-type" = "empty",
            "Initialize and start etcd server"
        );
    }
    let reactors =
        Arc::new(Reactors::start(Reactors::count_for_this_machine()).map_err(|error| error.to_string())?);
    let listeners = Listeners::bind(settings, &reactors)?;
    let first = reactors.first().clone();
    first.block_on(async {
        let trouble = |error: std::io::Error| error.to_string();
        let mut interrupt = signal(SignalKind::interrupt()).map_err(trouble)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(trouble)?;
        let member = run::start(settings, &listeners, reactors).await?;
        drop(listeners);
        let node = member.node.clone();
        let (number, name) = tokio::select! {
            () = node.expelled() => {
                let error = "the member has been permanently removed from the cluster";
                tracing::warn!(error, "server error");
                tracing::warn!("data-dir used by this member must be removed");
                member.stop().await;
                return Ok(());
            }
            _ = interrupt.recv() => (SignalKind::interrupt().as_raw_value(), "interrupt"),
            _ = terminate.recv() => (SignalKind::terminate().as_raw_value(), "terminated"),
        };
        tracing::info!(signal = name, "received signal; shutting down");
        tokio::select! {
            () = member.stop() => Ok(()),
            // Whoever asks twice does not want to wait.
            _ = interrupt.recv() => Err("interrupted while shutting down".to_string()),
            _ = terminate.recv() => Err("terminated while shutting down".to_string()),
        }?;
        end_by(number)
    })
}

/// Ends by the signal that asked for it, as whoever started the process expects of etcd; the first process of a
/// container cannot, and ends with 0. Source: contract-cli 1.
fn end_by(signal: i32) -> Result<(), String> {
    if std::process::id() == 1 {
        return Ok(());
    }
    signal_hook::low_level::emulate_default_handler(signal).map_err(|error| error.to_string())
}
