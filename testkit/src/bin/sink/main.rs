//! `sink`: the test kit's server as a program.
//!
//! It prints one line of JSON, `{"host":"127.0.0.1","port":…}`, when it is ready. With `--control`
//! it obeys lines of JSON on its standard input and ends with it.

mod args;
mod control;

use std::io::{self, Write as _};
use std::process::ExitCode;

use postpool_testkit::Sink;

use crate::args::Args;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help") {
        print!("{}", args::HELP);
        return ExitCode::SUCCESS;
    }
    match Args::parse(&words).and_then(|args| run(args).map_err(|error| error.to_string())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sink: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(args.threads)
        .enable_io()
        .enable_time()
        .build()?;
    let sink = Sink::new(args.config)?;
    let address = runtime.block_on(sink.listen(&format!("{}:{}", args.host, args.port)))?;
    let ready = serde_json::json!({ "host": address.ip(), "port": address.port() });
    let mut stdout = io::stdout();
    writeln!(stdout, "{ready}")?;
    stdout.flush()?;
    if args.control {
        control::run(&sink, io::stdin().lock(), stdout)?;
    } else {
        loop {
            std::thread::park();
        }
    }
    runtime.shutdown_background();
    Ok(())
}
