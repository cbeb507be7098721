//! Arbitrary bytes of a server against an arbitrary script of the driver's.
//!
//! The stream the session wrote is read again as a server would, and every outcome is compared with
//! the replies, matched by counting: nothing is unframed, nothing is claimed that was not answered.

#![no_main]

use std::collections::HashMap;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use postpool::mail::Envelope;
use postpool::wire::{
    Event, MailParams, Outcome, Progress, ReplyReader, Session, SessionOptions, closed_unexpectedly,
};

#[path = "../support/model.rs"]
mod model;
use model::Item;

#[derive(Arbitrary, Debug)]
struct Input {
    lmtp: bool,
    pipelining: bool,
    chunking: bool,
    window: u8,
    script: Vec<Step>,
}

#[derive(Arbitrary, Debug)]
enum Step {
    Submit {
        recipients: u8,
        announced: Option<u16>,
    },
    Body(Vec<u8>),
    Large(u8),
    EndBody,
    AbortBody,
    Withdraw(u8),
    /// So much of the output is written.
    Written(u16),
    WrittenAll,
    Server(Vec<u8>),
    Says(Word),
    Window(u8),
    Quit,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Word {
    Ok,
    Go,
    No,
    Later,
    Bye,
    What,
}

impl Word {
    fn text(self) -> &'static str {
        match self {
            Self::Ok => "250 ok\r\n",
            Self::Go => "354 go\r\n",
            Self::No => "550-no\r\n550 no\r\n",
            Self::Later => "451 later\r\n",
            Self::Bye => "421 bye\r\n",
            Self::What => "what?\r\n",
        }
    }
}

/// What the driver knows.
struct Driver {
    session: Session,
    reader: ReplyReader,
    stream: Vec<u8>,
    written: usize,
    opened: Vec<usize>,
    replies: Vec<u16>,
    /// The last reply, whether one was due or not.
    last: Option<u16>,
    bodies: HashMap<u64, Vec<u8>>,
    settled: HashMap<u64, Outcome>,
    submitted: u64,
    withdrawn: Vec<u64>,
    put_in: usize,
    over: bool,
}

impl Driver {
    fn note(&mut self) {
        // The output holds what was not written; the rest of the stream was seen before.
        let output = self.session.output();
        assert!(self.written + output.len() >= self.stream.len());
        let known = self.stream.len() - self.written;
        self.stream.extend_from_slice(&output[known..]);
        // Bodies at most double, commands are short.
        assert!(self.stream.len() <= 1024 + 3 * self.put_in + 2048 * self.submitted as usize);
        while let Some(event) = self.session.next_event() {
            match event {
                Event::BodyOpen(_) => self.opened.push(self.stream.len()),
                Event::Settled(id, outcome) => {
                    assert!(self.settled.insert(id, outcome).is_none(), "settled twice");
                }
                Event::Began(_) => {}
            }
        }
    }

    fn written(&mut self, count: usize) {
        let count = count.min(self.session.output().len());
        self.session.written(count);
        self.written += count;
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.reader.feed(bytes);
        while !self.over {
            let reply = match self.reader.next_reply() {
                Ok(Some(reply)) => reply,
                Ok(None) => return,
                Err(error) => return self.end(&error),
            };
            let due = self.session.reply_is_due();
            let outcome = self.session.reply(&reply);
            self.last = Some(reply.code);
            if due {
                self.replies.push(reply.code);
            }
            self.note();
            match outcome {
                Err(error) => self.end(&error),
                Ok(()) if self.session.is_over() => self.end(&closed_unexpectedly(None)),
                Ok(()) => {}
            }
        }
    }

    fn end(&mut self, error: &postpool::error::Error) {
        self.session.lost(error);
        self.note();
        self.over = true;
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Submit { recipients, announced } if self.submitted < 24 => {
                let id = self.submitted;
                self.submitted += 1;
                let to = (0..=recipients % 4).map(|n| format!("r{n}@x")).collect();
                let envelope = Envelope { from: format!("m{id}@x"), to, ..Envelope::default() };
                self.session.submit(id, envelope, MailParams::default(), announced.map(u64::from));
            }
            Step::Submit { .. } => {}
            Step::Body(piece) => self.body(&piece),
            // More than one chunk, but seldom: it takes long.
            Step::Large(255) => self.body(&vec![b'\n'; 600 * 1024]),
            Step::Large(size) => self.body(&vec![b'\n'; usize::from(size) * 32]),
            Step::EndBody => {
                if self.session.wants_body().is_some() {
                    self.session.end_body();
                }
            }
            Step::AbortBody => {
                if self.session.wants_body().is_some() && !self.session.abort_body(closed_unexpectedly(None))
                {
                    self.end(&closed_unexpectedly(None));
                }
            }
            Step::Withdraw(id) => {
                if self.session.progress(u64::from(id)) == Some(Progress::Waiting) {
                    self.session.withdraw(u64::from(id));
                    self.withdrawn.push(u64::from(id));
                }
            }
            Step::Written(count) => self.written(usize::from(count)),
            Step::WrittenAll => self.written(usize::MAX),
            Step::Server(bytes) => self.hear(&bytes),
            Step::Says(word) => self.hear(word.text().as_bytes()),
            Step::Window(window) => self.session.set_window(usize::from(window % 9)),
            Step::Quit => self.session.quit(),
        }
        self.note();
    }

    fn body(&mut self, piece: &[u8]) {
        if self.put_in + piece.len() > 3 << 20 {
            return;
        }
        if let Some(id) = self.session.wants_body() {
            self.put_in += piece.len();
            self.bodies.entry(id).or_default().extend_from_slice(piece);
            self.session.write_body(piece);
        }
    }
}

fuzz_target!(|input: Input| {
    let Input { lmtp, pipelining, chunking, window, script } = input;
    let window = usize::from(window % 8) + 1;
    let options = SessionOptions { lmtp, pipelining, chunking, window, log: false };
    let mut driver = Driver {
        session: Session::new(options),
        reader: ReplyReader::new(4096),
        stream: Vec::new(),
        written: 0,
        opened: Vec::new(),
        replies: Vec::new(),
        last: None,
        bodies: HashMap::new(),
        settled: HashMap::new(),
        submitted: 0,
        withdrawn: Vec::new(),
        put_in: 0,
        over: false,
    };
    for step in script {
        if driver.over {
            break;
        }
        driver.step(step);
    }
    if !driver.over {
        driver.end(&closed_unexpectedly(None));
    }
    judge(&driver, options);
});

fn judge(driver: &Driver, options: SessionOptions) {
    let (items, bodies) = model::parse(&driver.stream, &driver.opened);
    for id in 0..driver.submitted {
        let settled = driver.settled.contains_key(&id);
        assert_ne!(settled, driver.withdrawn.contains(&id), "message {id}: one outcome");
    }
    for (id, arrived) in bodies.iter().filter(|(_, arrived)| arrived.ended) {
        let given = driver.bodies.get(id).map_or(&[][..], Vec::as_slice);
        let meant = model::normalised(given);
        assert!(arrived.body == meant || (given.is_empty() && arrived.body.is_empty()), "another body");
    }
    if options.chunking && options.pipelining {
        let mails = items.iter().enumerate().filter(|(_, (item, _))| matches!(item, Item::Mail(_)));
        for (at, _) in mails {
            assert!(at > 0 && items[at - 1].0 == Item::Rset, "a transaction that does not begin with RSET");
        }
    }
    if !options.lmtp {
        for (id, outcome) in &driver.settled {
            claims(driver, &items, *id, outcome);
            if options.chunking && options.pipelining {
                marked(driver, &items, *id, outcome);
            }
        }
    }
}

/// Compares an outcome with the replies.
fn claims(driver: &Driver, items: &[(Item, usize)], id: u64, outcome: &Outcome) {
    let code = |at: usize| driver.replies.get(at).copied();
    let found = |wanted: Item| items.iter().position(|(item, _)| *item == wanted);
    let positive = |code: Option<u16>| code.is_some_and(|code| code / 100 == 2);
    let refused = |code: Option<u16>| code.is_some_and(|code| matches!(code / 100, 4 | 5));
    let mail = found(Item::Mail(id)).and_then(code);
    let rcpts: Vec<Option<u16>> =
        (0..items.len()).filter(|at| items[*at].0 == Item::Rcpt(id)).map(code).collect();
    let end = found(Item::End(id));
    let end_reply = end.and_then(code);
    match outcome {
        Outcome::Accepted(accepted) => {
            assert!(positive(mail) && positive(end_reply), "accepted without being taken");
            let taken = rcpts.iter().filter(|code| positive(**code)).count();
            assert_eq!(accepted.accepted.len(), taken);
            assert!(taken > 0);
        }
        Outcome::Failed(failure) => {
            assert!(failure.error.phase().is_some() || end.is_none(), "a failure without a phase");
            let may = failure.error.maybe_delivered();
            assert!(!(positive(end_reply) && !may), "failed for sure, but taken: {:?}", failure.error);
            assert!(!(may && failure.unsent), "in doubt, and to be sent again");
            let left = end.is_some_and(|at| items[at].1 <= driver.written);
            let answered = end_reply.is_some_and(|code| matches!(code / 100, 4 | 5));
            let nobody = refused(mail) || rcpts.iter().all(|code| refused(*code));
            // A server that said 421, or refused RSET, and then closed, has read nothing behind that.
            let passed_over = mail.is_none() && said_goodbye(driver, items);
            if left && !answered && !nobody && !passed_over {
                assert!(may, "gone out, unanswered, and claimed as failed: {:?}", failure.error);
            }
        }
    }
}

/// Whether the last reply was one after which a server answers nothing.
fn said_goodbye(driver: &Driver, items: &[(Item, usize)]) -> bool {
    let to_rset = driver.replies.len().checked_sub(1).and_then(|at| items.get(at));
    let refused_rset = to_rset.is_some_and(|(item, _)| *item == Item::Rset);
    driver.last.is_some_and(|code| code == 421 || (refused_rset && matches!(code / 100, 4 | 5)))
}

/// Behind a body RSET has to be answered as such, or replies are out of order.
fn marked(driver: &Driver, items: &[(Item, usize)], id: u64, outcome: &Outcome) {
    let Some(end) = items.iter().position(|(item, _)| *item == Item::End(id)) else { return };
    let answer =
        driver.replies.get(end + 1).filter(|_| items.get(end + 1).is_some_and(|it| it.0 == Item::Rset));
    if answer.is_some_and(|code| code / 100 != 2 && *code != 421) {
        let doubt = matches!(outcome, Outcome::Failed(failure) if failure.error.maybe_delivered());
        assert!(doubt, "believed though RSET was refused");
    }
}
