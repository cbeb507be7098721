//! AUTH within a session; the mechanisms themselves are tested where they are written.

#![allow(clippy::unwrap_used)]

mod support;

use postpool_testkit::{Auth, Config, Rule, Step};
use support::Client;

fn secret() -> Config {
    Config { auth: Some(Auth::password("user", "secret")), ..Config::default() }
}

#[tokio::test]
async fn mail_waits_for_a_successful_auth() {
    let mut client = Client::greeted(secret()).await;
    assert!(client.ask("EHLO me.test").await.ends_with("|250 AUTH PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256"));
    assert_eq!(client.codes("MAIL FROM:<a@x>\r\n", 1).await, [530]);
    assert_eq!(client.codes("AUTH PLAIN AHVzZXIAd3Jvbmc=\r\n", 1).await, [535]);
    assert_eq!(client.codes("AUTH PLAIN AHVzZXIAc2VjcmV0\r\n", 1).await, [235]);
    assert_eq!(client.codes("MAIL FROM:<a@x>\r\n", 1).await, [250]);
    let stats = client.sink.stats();
    assert_eq!((stats.auth_attempts, stats.auth_failures), (2, 1));
}

#[tokio::test]
async fn an_exchange_takes_a_line_at_a_time_and_can_be_aborted() {
    let mut client = Client::ready(secret()).await;
    assert_eq!(client.ask("AUTH LOGIN").await, "334 VXNlcm5hbWU6");
    assert_eq!(client.ask("*").await, "501 5.7.0 Authentication aborted");
    assert_eq!(client.ask("AUTH LOGIN").await, "334 VXNlcm5hbWU6");
    assert_eq!(client.ask("dXNlcg==").await, "334 UGFzc3dvcmQ6");
    assert_eq!(client.codes("c2VjcmV0\r\n", 1).await, [235]);
    assert_eq!(client.codes("AUTH LOGIN\r\n", 1).await, [503]);
}

#[tokio::test]
async fn a_changed_account_is_what_the_next_auth_is_checked_against() {
    let mut client = Client::ready(secret()).await;
    client.sink.set_auth(Some(Auth::password("user", "other")));
    assert_eq!(client.codes("AUTH PLAIN AHVzZXIAc2VjcmV0\r\n", 1).await, [535]);
}

#[tokio::test]
async fn a_recorded_auth_holds_no_credentials() {
    let mut client = Client::ready(Config { record: true, ..secret() }).await;
    client.ask("AUTH LOGIN").await;
    client.ask("dXNlcg==").await;
    client.ask("d3Jvbmc=").await;
    client.ask("AUTH PLAIN AHVzZXIAc2VjcmV0").await;
    let reads: Vec<_> = client.sink.reads().into_iter().flat_map(|read| read.commands).collect();
    assert_eq!(reads, ["EHLO me.test", "AUTH LOGIN", "AUTH PLAIN"]);
}

#[tokio::test]
async fn a_scripted_success_lets_anybody_in() {
    let config = Config { script: vec![Rule::reply(Step::Auth, "235 come in")], ..secret() };
    let mut client = Client::ready(config).await;
    assert_eq!(client.codes("AUTH LOGIN\r\nMAIL FROM:<a@x>\r\n", 2).await, [235, 250]);
}
