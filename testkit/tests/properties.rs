//! What holds for every client: no panic, and the same answers however its octets are split.

#![allow(clippy::unwrap_used)]

use postpool_testkit::{Action, Auth, Config, Effect, Habit, Rule, Server, Sink, Step};
use proptest::prelude::*;

/// What a session writes, and how it ends, for these octets in these pieces.
fn converse(sink: &Sink, octets: &[u8], cuts: &[usize]) -> (Vec<u8>, Vec<Effect>) {
    let mut server: Server = sink.session();
    let (mut written, mut others) = (Vec::new(), Vec::new());
    let mut out = server.effects();
    server.greeting(&mut out);
    let mut from = 0;
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (octets.len() + 1)).collect();
    cuts.sort_unstable();
    for to in cuts.into_iter().chain([octets.len()]) {
        server.feed(&octets[from..to], &mut out);
        from = to;
        for effect in out.take() {
            match effect {
                Effect::Write(bytes) => written.extend(bytes),
                ended @ (Effect::Close | Effect::Reset | Effect::Stall | Effect::StartTls) => {
                    others.push(ended);
                    return (written, others);
                }
                other => others.push(other),
            }
        }
    }
    (written, others)
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "EHLO me.test",
            "HELO me.test",
            "MAIL FROM:<a@x>",
            "MAIL FROM:<a@x> SIZE=5 BODY=8BITMIME",
            "RCPT TO:<b@y>",
            "RCPT TO:<bad@y>",
            "DATA",
            "hello\r\n..\r\n.",
            ".",
            "BDAT 5\r\nhello",
            "BDAT 0 LAST",
            "BDAT 7 LAST\r\nh\r\n.\r\n.",
            "RSET",
            "NOOP",
            "AUTH PLAIN AHVzZXIAc2VjcmV0",
            "AUTH CRAM-MD5",
            "*",
            "STARTTLS",
            "QUIT",
        ])
        .prop_map(Into::into),
        "[ -~\r\n]{0,20}",
    ]
}

fn config() -> impl Strategy<Value = Config> {
    let habit = prop::sample::select(vec![Habit::Tidy, Habit::Postfix, Habit::Exim]);
    (habit, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(habit, chunking, starttls, auth)| {
        Config {
            habit,
            chunking,
            starttls,
            auth: auth.then(|| Auth::password("user", "secret").mechanisms(["PLAIN"])),
            size: Some(20),
            script: vec![
                Rule::reply(Step::Rcpt, "550 no").matching("bad@*"),
                Rule::new(Step::Noop, Action::Early),
                Rule::new(Step::Bdat, Action::Garbage).every(3),
                Rule::new(Step::FinalReply, Action::Extra).every(2),
            ],
            ..Config::default()
        }
    })
}

proptest! {
    #[test]
    fn replies_do_not_depend_on_how_commands_are_split(
        config in config(),
        lines in prop::collection::vec(line(), 0..25),
        cuts in prop::collection::vec(0usize..10_000, 0..12),
    ) {
        let octets = format!("EHLO me.test\r\n{}\r\n", lines.join("\r\n")).into_bytes();
        let whole = Sink::new(config.clone()).unwrap();
        let split = Sink::new(config).unwrap();
        let (expected, actual) = (converse(&whole, &octets, &[]), converse(&split, &octets, &cuts));
        prop_assert_eq!(expected, actual);
        prop_assert_eq!(whole.stats().bytes, split.stats().bytes);
        prop_assert_eq!(whole.stats().messages, split.messages().len() as u64);
    }

    #[test]
    fn no_octets_make_a_session_panic(
        config in config(),
        octets in prop::collection::vec(any::<u8>(), 0..600),
        cuts in prop::collection::vec(0usize..600, 0..6),
    ) {
        let sink = Sink::new(config).unwrap();
        converse(&sink, &octets, &cuts);
        prop_assert_eq!(sink.stats().open, 0);
    }
}
