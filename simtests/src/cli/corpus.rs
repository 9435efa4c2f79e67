//! `etcdsim corpus`: seeds that once found something, kept with their stories.
use super::{
    CLEAN, Stop,
    args::{self, Form},
    exit_code,
    pool::{Done, Pool, Task, cpu_time},
    run::nanos,
    subject::{Wanted, wanted},
};
use crate::{
    corpus::{self, Entry},
    profile::Profile,
    report::{Failure, How, Stored, Summary},
    token::{Engine, Token},
};
use clap::{Args, Subcommand};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

/// Keep seeds that once found something, each with its story, and run them again
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Corpus {
    #[command(subcommand)]
    command: Command,
    /// The folder of the corpus
    #[arg(long, global = true, value_name = "DIR", default_value = "simtests/regressions")]
    dir: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  cargo etcdsim corpus run                       every run of the corpus; all must be clean
  cargo etcdsim corpus add 9c1f-swarm-m3 --to lost-vote --story 'A vote was sent before it was on disk.'
  cargo etcdsim corpus prune                     drop what this version cannot tell any more

A corpus is a folder of text files. Lines that begin with # tell the story, every other line is a run: a token, a seed,
or the name of a saved failure in the same folder.";

#[derive(Subcommand)]
enum Command {
    /// Append runs to a file of the corpus, with their story
    Add {
        /// Tokens, seeds, or files that `run --out` saved
        #[arg(value_name = "TOKEN|FILE|SEED", required = true)]
        what: Vec<String>,
        /// What went wrong, for whoever comes after you
        #[arg(long)]
        story: String,
        /// The file, without its ending
        #[arg(long, value_name = "NAME", default_value = "found")]
        to: String,
    },
    /// Run every run of the corpus; all must be clean
    Run {
        /// Only these: tokens, seeds, or files that `run --out` saved
        #[arg(value_name = "TOKEN|FILE|SEED")]
        what: Vec<String>,
        /// How many at the same time [default: one per core]
        #[arg(long, value_name = "J")]
        jobs: Option<usize>,
        /// How the end is told on standard output
        #[arg(long, value_enum, default_value = "text")]
        summary: Form,
    },
    /// Drop runs whose version is another than today's, and list them
    Prune {
        /// Only list them
        #[arg(long)]
        dry_run: bool,
    },
}

impl Corpus {
    pub(super) fn run(&self) -> Result<u8, Stop> {
        match &self.command {
            Command::Add { what, story, to } => add(&self.dir, what, story, to),
            Command::Run { what, jobs, summary } => run(&self.dir, what, *jobs, *summary),
            Command::Prune { dry_run } => prune(&self.dir, *dry_run),
        }
    }
}

fn add(folder: &Path, what: &[String], story: &str, to: &str) -> Result<u8, Stop> {
    if story.trim().is_empty() {
        return Err("a seed without a story helps nobody: say with --story what went wrong"
            .to_string()
            .into());
    }
    if to.is_empty() || to.contains(['/', '\\', '.']) {
        return Err(format!("{to}: the name of a file, without folder and ending").into());
    }
    let mut lines = Vec::new();
    for text in what {
        let Wanted { token, how, saved } = wanted(text, Profile::Swarm, Engine::Member, How::default())?;
        if how.plant.is_some() {
            return Err(
                format!("{text}: a planted bug is found because it was planted; it guards nothing").into()
            );
        }
        match saved {
            // A token says all that the file does.
            Some(saved) if how == How::default() && saved.run.is_none() => lines.push(token.to_string()),
            None => lines.push(token.to_string()),
            Some(_) => {
                let path = Path::new(text);
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
                let name = name.filter(|name| name.ends_with(".json"));
                let name =
                    name.ok_or_else(|| format!("{text}: the name of a saved failure ends in .json"))?;
                copy(path, &folder.join(&name))?;
                lines.push(name);
            }
        }
    }
    let path = folder.join(format!("{to}.txt"));
    let before = if path.exists() { corpus::read_text(&path)? } else { String::new() };
    let story: String = story.trim().lines().map(|line| format!("# {}\n", line.trim())).collect();
    let text = format!("{before}{story}{}\n", lines.join("\n"));
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    println!("{}: {}", path.display(), lines.join(", "));
    Ok(CLEAN)
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    fs::copy(from, to).map(|_| ()).map_err(|error| format!("{}: {error}", to.display()))
}

fn run(folder: &Path, what: &[String], jobs: Option<usize>, form: Form) -> Result<u8, Stop> {
    // What is to be run, where it stands, and how.
    let mut runs: Vec<(String, Task, How)> = Vec::new();
    let mut labels = BTreeSet::new();
    let mut add = |place: String, token: Token, how: How, run: Option<Box<Stored>>| -> Result<(), String> {
        let options = args::options(&how, token.profile, token.engine)?;
        labels.insert(args::label(&how, token.profile, token.engine));
        runs.push((place, Task { seed: token.seed, options, run }, how));
        Ok(())
    };
    if what.is_empty() {
        for entry in corpus::read(folder)? {
            match entry.outdated() {
                Some(_) => eprintln!("outdated, not run: {} (`corpus prune` drops it)", entry.place()),
                None => add(entry.place(), entry.token, entry.how, entry.run)?,
            }
        }
    } else {
        for text in what {
            let Wanted { token, how, saved } = wanted(text, Profile::Swarm, Engine::Member, How::default())?;
            add(text.clone(), token, how, saved.and_then(|saved| saved.run))?;
        }
    }

    let mut pool = Pool::new(jobs.unwrap_or_else(args::cores).min(runs.len().max(1)))?;
    pool.keep_going = true;
    let began = Instant::now();
    let mut summary = Summary { jobs: pool.jobs as u64, runs: labels, ..Summary::default() };
    let each = |done: Done| {
        let Done { number, options, outcome, .. } = done;
        summary.add(&outcome);
        let (place, _, how) = &runs[number as usize];
        if let Some(failure) = Failure::of(&outcome, options, how) {
            summary.add_failure(&failure);
            eprintln!("{place}");
            match form {
                Form::Text => println!("{failure}"),
                Form::Json | Form::Junit => eprintln!("{failure}"),
            }
        }
        Ok(())
    };
    let task = |number: u64| runs.get(usize::try_from(number).ok()?).map(|(_, task, _)| task.clone());
    pool.run(task, each)?;
    summary.wall_ns = nanos(began.elapsed());
    summary.cpu_ns = nanos(cpu_time());
    summary.interrupted = pool.is_interrupted();
    match form {
        // What happened how often says little about a handful of seeds.
        Form::Text => println!("{} of {} runs of the corpus are clean", summary.clean(), runs.len()),
        Form::Json | Form::Junit => println!("{}", form.show(&summary)),
    }
    Ok(exit_code(&summary))
}

fn prune(folder: &Path, dry_run: bool) -> Result<u8, Stop> {
    let entries = corpus::read(folder)?;
    let old: Vec<&Entry> = entries.iter().filter(|entry| entry.outdated().is_some()).collect();
    for entry in &old {
        println!("{}", entry.place());
    }
    let verb = if dry_run { "would be dropped" } else { "dropped" };
    println!("{} of {} runs {verb}", old.len(), entries.len());
    if dry_run {
        return Ok(CLEAN);
    }
    for file in corpus::files(folder)? {
        let dropped = |line: usize| old.iter().any(|entry| entry.file == file && entry.line == line);
        let text = corpus::read_text(&file)?;
        let lines: Vec<&str> = text.lines().collect();
        let kept: Vec<&str> =
            lines.iter().enumerate().filter(|(n, _)| !dropped(n + 1)).map(|(_, line)| *line).collect();
        if kept.len() == lines.len() {
            continue;
        }
        // A story that no run is left to tell ends with its last one.
        let about = |error: std::io::Error| format!("{}: {error}", file.display());
        if kept.iter().all(|line| corpus::run_of(line).is_none()) {
            fs::remove_file(&file).map_err(about)?;
            println!("{}: no run is left, removed", file.display());
        } else {
            fs::write(&file, kept.join("\n") + "\n").map_err(about)?;
        }
    }
    Ok(CLEAN)
}
