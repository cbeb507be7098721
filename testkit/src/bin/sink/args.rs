//! The command line. Its options are the fields of [`Config`], so there is no second list of them.

use std::fs;

use postpool_testkit::{Auth, Capture, Config};
use serde_json::{Map, Value};

/// Shown by `--help`.
pub(crate) const HELP: &str = "\
sink [options]: an SMTP and LMTP server for tests

  --host H, --port N        address to listen on (127.0.0.1, 0: a free port)
  --threads N               threads that serve connections (1)
  --control                 obey lines of JSON on stdin, end when it closes:
                            {\"op\":\"stats\"} reset, messages, reads, stop,
                            {\"op\":\"script\",\"rules\":[...]} {\"op\":\"auth\",\"account\":{...}}
  --auth USER:PASSWORD      offer AUTH and require it
  --token USER:TOKEN        likewise, with an OAuth 2 token
  --mail-max N, --rcpt-max N
                            LIMITS
  --script FILE             rules of faults, a JSON array
  --no-capture              count messages without keeping them
  --config JSON             all settings at once; options behind it change single ones

  Every other setting has an option of its name: --chunking, --no-pipelining, --binary-mime,
  --size N, --starttls, --tls, --cert FILE, --key FILE, --lmtp, --helo-only, --require-tls,
  --habit tidy|postfix|exim, --strict, --rtt MS, --nagle, --window N, --record, --seed N,
  --no-check-line-ends, --no-8bit-mime, --no-smtp-utf8, --no-dsn, --no-enhanced-status-codes
";

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) config: Config,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) threads: usize,
    pub(crate) control: bool,
}

impl Args {
    pub(crate) fn parse(words: &[String]) -> Result<Self, String> {
        let mut parser = Parser { settings: defaults()?, words: words.iter() };
        let mut args =
            Self { config: Config::default(), host: "127.0.0.1".into(), port: 0, threads: 1, control: false };
        while let Some(word) = parser.words.next() {
            let option = word.strip_prefix("--").ok_or_else(|| format!("{word} is no option, see --help"))?;
            match option {
                "host" => args.host = parser.value(option)?.into(),
                "port" => args.port = parser.number(option)?,
                "threads" => args.threads = parser.number(option).map(|n: usize| n.max(1))?,
                "control" => args.control = true,
                _ => parser.setting(option)?,
            }
        }
        args.config = serde_json::from_value(Value::Object(parser.settings)).map_err(text)?;
        Ok(args)
    }
}

struct Parser<'a> {
    settings: Map<String, Value>,
    words: std::slice::Iter<'a, String>,
}

impl<'a> Parser<'a> {
    fn value(&mut self, option: &str) -> Result<&'a str, String> {
        self.words.next().map(String::as_str).ok_or_else(|| format!("--{option} needs a value"))
    }

    fn number<N: std::str::FromStr>(&mut self, option: &str) -> Result<N, String> {
        self.value(option)?.parse().map_err(|_| format!("--{option} needs a number"))
    }

    fn setting(&mut self, option: &str) -> Result<(), String> {
        match option {
            "auth" | "token" => self.account(option),
            "mail-max" | "rcpt-max" => {
                let max: u64 = self.number(option)?;
                self.settings["limits"][camel_case(option)] = max.into();
                Ok(())
            }
            "script" => self.script(),
            "no-capture" => self.set("capture", Capture::NONE),
            "config" => self.config(),
            _ => self.field(option),
        }
    }

    /// A field of [`Config`]: a switch if it is a boolean, else with a value.
    fn field(&mut self, option: &str) -> Result<(), String> {
        let name = camel_case(option);
        let switched_off = option.strip_prefix("no-").map(camel_case);
        if let Some(Value::Bool(field)) = self.settings.get_mut(&name) {
            *field = true;
        } else if let Some(Value::Bool(field)) = switched_off.and_then(|name| self.settings.get_mut(&name)) {
            *field = false;
        } else if self.settings.contains_key(&name) {
            let value = self.value(option)?;
            let value = value.parse::<u64>().map_or_else(|_| value.into(), Value::from);
            self.settings.insert(name, value);
        } else {
            return Err(format!("--{option} is unknown, see --help"));
        }
        Ok(())
    }

    fn account(&mut self, option: &str) -> Result<(), String> {
        let value = self.value(option)?;
        let (user, secret) = value.split_once(':').ok_or_else(|| format!("--{option} needs user:secret"))?;
        let account = if option == "auth" { Auth::password(user, secret) } else { Auth::token(user, secret) };
        self.set("auth", account)
    }

    fn script(&mut self) -> Result<(), String> {
        let file = self.value("script")?;
        let rules = fs::read(file).map_err(|error| format!("{file}: {error}"))?;
        let rules: Value = serde_json::from_slice(&rules).map_err(|error| format!("{file}: {error}"))?;
        self.set("script", rules)
    }

    fn config(&mut self) -> Result<(), String> {
        let config: Config = serde_json::from_str(self.value("config")?).map_err(text)?;
        self.settings = object(&config)?;
        Ok(())
    }

    fn set(&mut self, name: &str, value: impl serde::Serialize) -> Result<(), String> {
        self.settings.insert(name.into(), serde_json::to_value(value).map_err(text)?);
        Ok(())
    }
}

fn defaults() -> Result<Map<String, Value>, String> {
    object(&Config::default())
}

fn object(config: &Config) -> Result<Map<String, Value>, String> {
    match serde_json::to_value(config).map_err(text)? {
        Value::Object(settings) => Ok(settings),
        _ => Err("settings must be an object".into()),
    }
}

fn text(error: serde_json::Error) -> String {
    error.to_string()
}

/// `binary-mime` to `binaryMime`; `8bit-mime` is what everybody would type for the one field whose
/// name cannot begin with a digit.
fn camel_case(option: &str) -> String {
    let option = option.replace("8bit", "eight-bit");
    let mut name = String::with_capacity(option.len());
    for (n, word) in option.split('-').enumerate() {
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if n > 0 => name.push(first.to_ascii_uppercase()),
            Some(first) => name.push(first),
            None => {}
        }
        name.push_str(letters.as_str());
    }
    name
}

#[cfg(test)]
mod tests {
    use postpool_testkit::Habit;

    use super::*;

    fn parse(line: &str) -> Result<Args, String> {
        Args::parse(&line.split_whitespace().map(Into::into).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_the_fields_of_the_settings() {
        let args = parse(
            "--port 2525 --control --chunking --no-pipelining --size 10 --habit exim --no-8bit-mime \
             --rcpt-max 5 --auth a:b:c --no-capture",
        )
        .expect("valid options");
        let config = args.config;
        assert_eq!((args.port, args.control, args.threads), (2525, true, 1));
        assert!(config.chunking && !config.pipelining && !config.eight_bit_mime && config.dsn);
        assert_eq!((config.size, config.habit, config.limits.rcpt_max), (Some(10), Habit::Exim, Some(5)));
        assert_eq!(config.auth.and_then(|auth| auth.password).as_deref(), Some("b:c"));
        assert_eq!(config.capture.messages, 0);
    }

    #[test]
    fn json_settings_can_be_changed_by_options_behind_them() {
        let args = parse(r#"--config {"chunking":true,"rtt":9} --rtt 5"#).expect("valid options");
        assert!(args.config.chunking);
        assert_eq!(args.config.rtt, 5);
    }

    #[test]
    fn what_is_unknown_or_incomplete_is_refused() {
        for line in
            ["--nonsense", "port", "--port", "--port x", "--auth a", "--habit neat", "--config {\"x\":1}"]
        {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
