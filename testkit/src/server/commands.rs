//! The commands and their order.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{BYE, Mode, Server};
use crate::auth::{Exchange, Turn, mechanisms};
use crate::capture::Recipient;
use crate::command::{Command, Path, Verb};
use crate::config::Habit;
use crate::effect::{Effect, Effects};
use crate::envelope::{Transaction, check_mail, check_rcpt};
use crate::reply::Reply;
use crate::script::Step;
use crate::stats::count;

const OK: Reply = Reply::new(250, "2.0.0", "Ok");
const HELLO_FIRST: Reply = Reply::new(503, "5.5.1", "Send EHLO first");

impl Server {
    /// Obeys one command line. Whether others may follow it in its group.
    pub(super) fn command(&mut self, line: &str, out: &mut Effects) -> bool {
        let command = Command::parse(line);
        let groups = command.groups();
        self.tally(&command);
        match command {
            Command::Hello { verb, name } => {
                self.step(Step::Ehlo, 0, None, out, |server| server.hello(verb, name));
            }
            Command::Mail(path) => self.mail(&path, out),
            Command::Rcpt(path) => self.rcpt(&path, out),
            Command::Data => self.step(Step::Data, 0, None, out, Self::data),
            Command::Bdat { size, last } => {
                self.bdat(size, last);
                if size == 0 {
                    self.end_chunk(out);
                }
            }
            Command::Rset => self.step(Step::Rset, 0, None, out, |server| {
                server.transaction = None;
                OK
            }),
            Command::Noop => self.step(Step::Noop, 0, None, out, |_| OK),
            Command::Quit => self.quit(out),
            Command::StartTls => self.start_tls(out),
            Command::Auth { mechanism, initial } => {
                self.step(Step::Auth, 0, None, out, |server| server.auth(mechanism, initial));
            }
            Command::Vrfy => self.reply(&Reply::new(252, "2.0.0", "Cannot VRFY user"), out),
            Command::Malformed(hint) => {
                self.reply(&Reply::owned(501, "5.5.4", format!("Syntax: {hint}")), out);
            }
            Command::Unknown => self.reply(&Reply::new(500, "5.5.2", "Command not recognized"), out),
        }
        groups
    }

    fn tally(&self, command: &Command<'_>) {
        let counters = &self.shared.counters;
        count(match command {
            Command::Hello { .. } => &counters.ehlo,
            Command::Mail(_) => &counters.mail,
            Command::Rcpt(_) => &counters.rcpt,
            Command::Data => &counters.data,
            Command::Bdat { .. } => &counters.bdat,
            Command::Rset => &counters.rset,
            Command::Noop => &counters.noop,
            Command::Quit => &counters.quit,
            Command::Auth { .. } => &counters.auth_attempts,
            Command::Malformed(_) => &counters.bad_commands,
            Command::Unknown => &counters.unknown,
            Command::StartTls | Command::Vrfy => return,
        });
    }

    fn hello(&mut self, verb: Verb, name: &str) -> Reply {
        let config = &self.shared.config;
        let known = match verb {
            Verb::Lhlo => config.lmtp,
            Verb::Ehlo => !config.lmtp && !config.helo_only,
            Verb::Helo => !config.lmtp,
        };
        if !known {
            return Reply::new(502, "5.5.1", "Command not implemented");
        }
        self.hello = Some(name.to_owned());
        self.transaction = None;
        self.extended = verb != Verb::Helo;
        let text = if self.extended { self.capabilities() } else { config.host_name.clone() };
        Reply::owned(250, "", text)
    }

    fn capabilities(&self) -> String {
        let config = &self.shared.config;
        let mut lines = vec![config.host_name.clone()];
        let offers = [
            (config.pipelining, "PIPELINING"),
            (config.eight_bit_mime, "8BITMIME"),
            (config.smtp_utf8, "SMTPUTF8"),
            (config.dsn, "DSN"),
            (config.enhanced_status_codes, "ENHANCEDSTATUSCODES"),
            (config.chunking, "CHUNKING"),
            (config.chunking && config.binary_mime, "BINARYMIME"),
            (config.starttls && !self.secure, "STARTTLS"),
            (config.require_tls && self.secure, "REQUIRETLS"),
        ];
        lines.extend(offers.iter().filter(|(offered, _)| *offered).map(|(_, name)| (*name).to_owned()));
        lines.extend(config.size.map(|size| format!("SIZE {size}")));
        if let Some(account) = self.shared.account() {
            lines.push(format!("AUTH {}", mechanisms(&account).join(" ")));
        }
        let limits = &config.limits;
        if limits.advertise && (limits.mail_max.is_some() || limits.rcpt_max.is_some()) {
            let mut line = "LIMITS".to_owned();
            for (name, max) in [("MAILMAX", limits.mail_max), ("RCPTMAX", limits.rcpt_max)] {
                if let Some(max) = max {
                    line.push_str(&format!(" {name}={max}"));
                }
            }
            lines.push(line);
        }
        lines.join("\n")
    }

    fn mail(&mut self, path: &Path<'_>, out: &mut Effects) {
        self.mails += 1;
        if self.shared.config.limits.mail_max.is_some_and(|max| self.mails > max) {
            self.reply(&Reply::new(421, "4.7.0", "Too many messages on this connection"), out);
            out.push(Effect::Close);
            return;
        }
        self.step(Step::Mail, 0, Some(path.address), out, |server| {
            server.begin(path).err().unwrap_or(Reply::new(250, "2.1.0", "Ok"))
        });
    }

    fn begin(&mut self, path: &Path<'_>) -> Result<(), Reply> {
        if self.hello.is_none() {
            return Err(HELLO_FIRST);
        }
        if self.user.is_none() && self.shared.account().is_some_and(|account| account.required) {
            return Err(Reply::new(530, "5.7.0", "Authentication required"));
        }
        if self.transaction.is_some() {
            let text = if self.shared.config.habit == Habit::Exim {
                "sender already given"
            } else {
                "Error: nested MAIL command"
            };
            return Err(Reply::new(503, "5.5.1", text));
        }
        check_mail(&self.shared.config, self.secure, path.address, &path.params).inspect_err(|_| {
            count(&self.shared.counters.bad_commands);
        })?;
        self.transaction = Some(Transaction {
            ordinal: self.mails,
            from: path.address.to_owned(),
            params: path.params.iter().map(|param| (*param).to_owned()).collect(),
            binary: path.params.iter().any(|param| param.eq_ignore_ascii_case("BODY=BINARYMIME")),
            ..Transaction::default()
        });
        Ok(())
    }

    fn rcpt(&mut self, path: &Path<'_>, out: &mut Effects) {
        let (k, before) = self.transaction.as_mut().map_or((1, 0), |transaction| {
            transaction.rcpts += 1;
            (transaction.rcpts, transaction.to.len())
        });
        self.step(Step::Rcpt, k, Some(path.address), out, |server| {
            server.add_recipient(path).err().unwrap_or(Reply::new(250, "2.1.5", "Ok"))
        });
        if let Some(transaction) = self.transaction.as_mut().filter(|t| t.to.len() == before) {
            transaction.refused += 1;
        }
    }

    fn add_recipient(&mut self, path: &Path<'_>) -> Result<(), Reply> {
        let Self { shared, transaction, .. } = self;
        let Some(transaction) = transaction else {
            return Err(Reply::new(503, "5.5.1", "Error: need MAIL command"));
        };
        if shared.config.limits.rcpt_max.is_some_and(|max| transaction.to.len() as u64 >= max) {
            return Err(Reply::new(452, "4.5.3", "Too many recipients"));
        }
        let utf8 = transaction.params.iter().any(|param| param.eq_ignore_ascii_case("SMTPUTF8"));
        check_rcpt(&shared.config, utf8, path.address, &path.params)?;
        transaction.to.push(Recipient {
            address: path.address.to_owned(),
            params: path.params.iter().map(|param| (*param).to_owned()).collect(),
        });
        Ok(())
    }

    fn quit(&mut self, out: &mut Effects) {
        self.quit = true;
        self.step(Step::Quit, 0, None, out, |_| Reply::new(221, "2.0.0", "Bye"));
        if !out.ended() && !matches!(self.mode, Mode::Deaf) {
            out.push(Effect::Close);
        }
    }

    fn start_tls(&mut self, out: &mut Effects) {
        let mut ready = false;
        self.step(Step::Starttls, 0, None, out, |server| {
            ready = server.shared.config.starttls && !server.secure;
            if ready {
                Reply::new(220, "2.0.0", "Ready to start TLS")
            } else {
                Reply::new(502, "5.5.1", "STARTTLS not offered")
            }
        });
        if ready && !out.ended() && !matches!(self.mode, Mode::Deaf) {
            out.push(Effect::StartTls);
        }
    }

    fn auth(&mut self, mechanism: &str, initial: Option<&str>) -> Reply {
        if self.hello.is_none() {
            return HELLO_FIRST;
        }
        if self.user.is_some() {
            return Reply::new(503, "5.5.1", "Already authenticated");
        }
        let Some(account) = self.shared.account() else {
            return Reply::new(502, "5.5.1", "AUTH not offered");
        };
        let Some(mut exchange) = Exchange::new(&account, mechanism, &self.shared.config.host_name) else {
            return Reply::new(504, "5.5.4", "Unrecognized authentication type");
        };
        let turn = match initial {
            None => exchange.opening(),
            Some("=") => exchange.respond(b""),
            Some(text) => match STANDARD.decode(text) {
                Ok(response) => exchange.respond(&response),
                Err(_) => return self.bad_base64(),
            },
        };
        self.auth_turn(Box::new(exchange), turn)
    }

    /// One response within an exchange.
    pub(super) fn auth_response(&mut self, line: &str, out: &mut Effects) {
        let Mode::Auth(mut exchange) = std::mem::replace(&mut self.mode, Mode::Command) else { return };
        let reply = if line == "*" {
            Reply::new(501, "5.7.0", "Authentication aborted")
        } else {
            match STANDARD.decode(line) {
                Ok(response) => {
                    let turn = exchange.respond(&response);
                    self.auth_turn(exchange, turn)
                }
                Err(_) => self.bad_base64(),
            }
        };
        self.reply(&reply, out);
    }

    fn auth_turn(&mut self, exchange: Box<Exchange>, turn: Turn) -> Reply {
        match turn {
            Turn::Challenge(text) => {
                self.mode = Mode::Auth(exchange);
                Reply::owned(334, "", STANDARD.encode(text))
            }
            Turn::Done(true) => {
                self.user = Some(exchange.user().to_owned());
                Reply::new(235, "2.7.0", "Authentication successful")
            }
            Turn::Done(false) => {
                count(&self.shared.counters.auth_failures);
                Reply::new(535, "5.7.8", "Authentication credentials invalid")
            }
        }
    }

    fn bad_base64(&self) -> Reply {
        count(&self.shared.counters.auth_failures);
        Reply::new(501, "5.5.2", "Cannot decode response")
    }

    /// Ends the connection because the sink is being stopped.
    pub fn shut_down(&mut self, out: &mut Effects) {
        self.reply(&BYE, out);
        out.push(Effect::Close);
    }
}
