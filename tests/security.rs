//! What a caller's text, a body or a login may never do to the wire, through a whole pool.

mod support;

use std::time::Duration;

use bytes::Bytes;
use postpool::connection::Pipelining;
use postpool::error::{Code, Phase};
use postpool::mail::Dsn;
use postpool::pool::PoolOptions;
use postpool_testkit::{Action, Auth, Config, Rule, Sink, Step};
use support::{Letter, Office, Waits, credentials, settings};

const WAITS: Waits = Waits(Duration::from_secs(10));
const RUNGS: [Pipelining; 4] =
    [Pipelining::Off, Pipelining::Window(1), Pipelining::Window(2), Pipelining::Window(8)];

fn letter() -> Letter {
    Letter::new("<1@x>", "from@x", &["to@x"], 100)
}

/// A server that notes every command, and a pool towards it.
async fn bench(config: Config, pipelining: Pipelining) -> (Sink, Office) {
    let sink = Sink::new(Config { record: true, ..config }).expect("a valid configuration");
    let address = sink.listen("127.0.0.1:0").await.expect("a free port");
    let options = PoolOptions { max_connections: 1, ..PoolOptions::default() };
    (sink, Office::open(options, settings(address, pipelining, WAITS)))
}

/// Everything the server was told, but for bodies.
fn commands(sink: &Sink) -> Vec<String> {
    sink.reads().into_iter().flat_map(|read| read.commands).collect()
}

#[tokio::test]
async fn text_of_the_callers_never_becomes_a_command() {
    type Edit = fn(&mut Letter, &str);
    let fields: [(&str, Edit); 6] = [
        ("sender", |letter, text| letter.envelope.from += text),
        ("recipient", |letter, text| letter.envelope.to[0] += text),
        ("RET", |letter, text| letter.envelope.dsn = Some(Dsn { ret: Some(text.into()), ..Dsn::default() })),
        ("ENVID", |letter, text| {
            letter.envelope.dsn = Some(Dsn { envid: Some(text.into()), ..Dsn::default() })
        }),
        ("NOTIFY", |letter, text| {
            letter.envelope.dsn = Some(Dsn { notify: Some(text.into()), ..Dsn::default() })
        }),
        ("ORCPT", |letter, text| {
            letter.envelope.dsn = Some(Dsn { orcpt: Some(format!("rfc822;a{text}")), ..Dsn::default() });
        }),
    ];
    let attacks =
        ["\r\nRCPT TO:<evil@x>", "\nRCPT TO:<evil@x>", "\rRCPT TO:<evil@x>", "> RCPT\0", "\u{2028}\u{85}"];
    for pipelining in [Pipelining::Off, Pipelining::Window(8)] {
        let (sink, mut office) = bench(Config { chunking: true, ..Config::default() }, pipelining).await;
        for (field, edit) in fields {
            for attack in attacks {
                let mut letter = letter();
                edit(&mut letter, attack);
                // Refused or encoded: either is well, as long as it stays where it belongs.
                let _ = office.deliver(letter).await;
                let seen = commands(&sink);
                let foreign = seen.iter().find(|line| {
                    !["EHLO ", "MAIL FROM:<from@x", "RCPT TO:<to@x", "DATA", "BDAT ", "RSET", "."]
                        .iter()
                        .any(|own| line.starts_with(own))
                });
                assert_eq!(foreign, None, "{field} {attack:?}");
                assert!(seen.iter().all(|line| !line.contains(['\r', '\n', '\0'])), "{field} {attack:?}");
            }
        }
        assert!(office.deliver(letter()).await.is_ok());
        let stats = sink.stats();
        assert_eq!((stats.unknown, stats.bare_lf, stats.bare_cr, stats.bad_pipelining), (0, 0, 0, 0));
    }
}

/// Every sequence that some server has taken for the end of a message (SMTP smuggling), with what
/// must arrive in its place.
const SMUGGLED: [&str; 12] = [
    "\n.\n",
    "\n.\r\n",
    "\r\n.\n",
    "\r\n.\r",
    "\r.\r",
    "\r.\r\n",
    "\r\n.\r\n",
    "\n\n.\r\n",
    "\r\r\n.\r\n",
    "\n.\r\r\n",
    "\r\n\0.\r\n",
    "\r\n..\r\n",
];

fn meant(text: &str) -> String {
    let mut lines = text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n");
    if !lines.ends_with("\r\n") {
        lines.push_str("\r\n");
    }
    lines
}

#[tokio::test]
async fn no_body_holds_a_second_message_wherever_its_chunks_end() {
    const SECOND: &str = "MAIL FROM:<evil@x>\r\nRCPT TO:<evil@x>\r\nDATA\r\nSubject: smuggled\r\n.\r\n";
    for pipelining in RUNGS {
        let (sink, mut office) = bench(Config { chunking: true, ..Config::default() }, pipelining).await;
        let mut expected = Vec::new();
        for smuggled in SMUGGLED {
            let text = format!("Subject: first\r\n\r\nbody{smuggled}{SECOND}");
            let from = text.find(smuggled).expect("it is there") - 1;
            for cut in from..=from + smuggled.len() + 1 {
                let mut letter = letter();
                letter.body = Bytes::from(text.clone());
                letter.pause = Some((cut, Duration::ZERO));
                office.post(letter);
                expected.push(meant(&text));
            }
        }
        assert!(office.settle().await);
        assert!(office.outcomes.values().flatten().all(Result::is_ok));
        let arrived: Vec<_> =
            sink.messages().into_iter().map(|m| String::from_utf8(m.body).expect("text")).collect();
        assert_eq!(arrived, expected, "{pipelining:?}");
        assert!(sink.messages().iter().all(|message| message.from == "from@x"));
        let stats = sink.stats();
        assert_eq!((stats.bare_lf, stats.bare_cr, stats.unknown), (0, 0, 0));
    }
}

const PASSWORD: &str = "s3cr3t-pässword";

#[tokio::test]
async fn no_secret_is_told_to_anybody_but_the_server() {
    use base64::Engine as _;
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let needles = [
        PASSWORD.to_owned(),
        encode(PASSWORD),
        encode(&format!("\0user\0{PASSWORD}")),
        format!("{:?}", PASSWORD.as_bytes()),
    ];
    for (mechanism, right) in
        ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"].into_iter().flat_map(|m| [(m, true), (m, false)])
    {
        let auth = Auth::password("user", if right { PASSWORD } else { "another" }).mechanisms([mechanism]);
        let sink =
            Sink::new(Config { auth: Some(auth), ..Config::default() }).expect("a valid configuration");
        let address = sink.listen("127.0.0.1:0").await.expect("a free port");
        let mut settings = settings(address, Pipelining::Auto, WAITS);
        settings.handshake.log = true;
        settings.handshake.credentials = Some(credentials("user", PASSWORD));
        let shown = format!("{settings:?} {settings:#?}");
        let options = PoolOptions { verbose: true, ..PoolOptions::default() };
        let mut office = Office::open(options, settings);
        let outcome = office.deliver(letter()).await;
        assert_eq!(outcome.is_ok(), right, "{mechanism}: {outcome:?}");
        assert!(office.close().await);
        let told = office.told.join("\n");
        assert!(told.contains(&format!("AUTH {mechanism}")), "the log is on");
        for needle in &needles {
            for (place, text) in [("settings", &shown), ("events", &told)] {
                assert!(!text.contains(needle), "{mechanism}: {place} hold {needle}");
            }
        }
    }
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_however_many_messages_wait() {
    let auth = Some(Auth::password("user", "right"));
    let sink = Sink::new(Config { auth, ..Config::default() }).expect("a valid configuration");
    let address = sink.listen("127.0.0.1:0").await.expect("a free port");
    let mut settings = settings(address, Pipelining::Auto, WAITS);
    settings.handshake.credentials = Some(credentials("user", "wrong"));
    let mut office = Office::open(PoolOptions { max_connecting: 1, ..PoolOptions::default() }, settings);
    for _ in 0..20 {
        office.post(letter());
    }
    assert!(office.settle().await);
    let codes: Vec<_> =
        office.outcomes.values().flatten().map(|it| it.as_ref().map_err(|e| e.code()).err()).collect();
    assert_eq!(codes, vec![Some(Code::Auth); 20]);
    assert_eq!(sink.stats().auth_attempts, 1);
}

#[tokio::test]
async fn a_stream_that_was_read_fails_rather_than_arrive_truncated() {
    let script = vec![Rule::new(Step::Body, Action::Fin).after(10).once()];
    for (replayable, expected) in [(true, None), (false, Some((Code::Stream, Some(Phase::Data))))] {
        let (sink, mut office) =
            bench(Config { script: script.clone(), ..Config::default() }, Pipelining::Auto).await;
        let mut letter = letter();
        letter.pause = Some((50, Duration::from_millis(100)));
        letter.one_shot = !replayable;
        let body = letter.body.clone();
        let outcome = office.deliver(letter).await;
        assert_eq!(outcome.err().map(|error| (error.code(), error.phase())), expected);
        let arrived: Vec<_> = sink.messages().into_iter().map(|message| message.body).collect();
        assert_eq!(arrived, if replayable { vec![body.to_vec()] } else { vec![] });
    }
}
