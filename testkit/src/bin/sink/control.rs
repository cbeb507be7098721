//! The program's remote control: one line of JSON in, one line of JSON out.

use std::io::{self, BufRead, Write};

use postpool_testkit::{Auth, Rule, Sink};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
enum Request {
    Stats,
    Reset,
    Messages,
    Reads,
    Script { rules: Vec<Rule> },
    Auth { account: Option<Auth> },
    Stop,
}

/// Obeys until the input ends or says `stop`. Each answer is `{"result":…}` or `{"error":…}`.
pub(crate) fn run(sink: &Sink, input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    for line in input.lines() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let (answer, goes_on) = match serde_json::from_str(&line) {
            Ok(Request::Stop) => (json!({ "result": null }), false),
            Ok(request) => (answer(sink, request), true),
            Err(error) => (json!({ "error": error.to_string() }), true),
        };
        writeln!(output, "{answer}")?;
        output.flush()?;
        if !goes_on {
            break;
        }
    }
    Ok(())
}

fn answer(sink: &Sink, request: Request) -> Value {
    match request {
        Request::Stats => json!({ "result": sink.stats() }),
        Request::Messages => json!({ "result": sink.messages() }),
        Request::Reads => json!({ "result": sink.reads() }),
        Request::Reset => {
            sink.reset();
            json!({ "result": null })
        }
        Request::Script { rules } => {
            sink.set_script(rules);
            json!({ "result": null })
        }
        Request::Auth { account } => {
            sink.set_auth(account);
            json!({ "result": null })
        }
        Request::Stop => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use postpool_testkit::Config;

    use super::*;

    #[test]
    fn every_line_gets_one_answer_until_it_says_stop() {
        let sink = Sink::new(Config::default()).expect("a sink");
        let input = concat!(
            "{\"op\":\"stats\"}\n\n{\"op\":\"script\",\"rules\":[{\"at\":\"mail\",\"do\":\"fin\"}]}\n",
            "nonsense\n{\"op\":\"messages\"}\n{\"op\":\"stop\"}\n{\"op\":\"stats\"}\n",
        );
        let mut output = Vec::new();
        run(&sink, input.as_bytes(), &mut output).expect("answers");
        let answers: Vec<Value> = String::from_utf8(output)
            .expect("text")
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(answers.len(), 5);
        assert_eq!(answers[0]["result"]["connections"], 0);
        assert!(answers[2]["error"].is_string());
        assert_eq!(answers[3]["result"], json!([]));
    }
}
