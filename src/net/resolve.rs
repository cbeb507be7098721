//! Names to addresses: the system's resolver behind a cache.
//!
//! The system's resolver reads `/etc/hosts` and follows the machine's configuration. An answer is
//! kept for five minutes; when the resolver fails later, the old answer is better than none.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Code, Error, Result, SystemError};

/// How long an answer is used without asking again.
const TTL: Duration = Duration::from_secs(5 * 60);
/// Names kept at most.
const CAPACITY: usize = 1000;

static CACHE: LazyLock<Cache> = LazyLock::new(Cache::default);

/// The addresses of `host`, at least one, in the resolver's order.
pub(super) async fn resolve(host: &str, timeout: Duration) -> Result<Vec<IpAddr>> {
    match host.parse() {
        Ok(address) => Ok(vec![address]),
        Err(_) => CACHE.resolve(host, timeout, lookup(host)).await,
    }
}

async fn lookup(host: &str) -> io::Result<Vec<IpAddr>> {
    let mut addresses: Vec<IpAddr> = Vec::new();
    for found in tokio::net::lookup_host((host, 0)).await? {
        if !addresses.contains(&found.ip()) {
            addresses.push(found.ip());
        }
    }
    Ok(addresses)
}

#[derive(Debug, Default)]
struct Cache {
    answers: Mutex<HashMap<String, Answer>>,
}

#[derive(Clone, Debug)]
struct Answer {
    addresses: Vec<IpAddr>,
    expires: Instant,
}

impl Cache {
    /// The cached answer while it is fresh, else what `lookup` says, else the stale answer.
    async fn resolve(
        &self,
        host: &str,
        timeout: Duration,
        lookup: impl Future<Output = io::Result<Vec<IpAddr>>>,
    ) -> Result<Vec<IpAddr>> {
        let cached = self.answers().get(host).cloned();
        let fresh = cached.as_ref().filter(|answer| answer.expires > Instant::now());
        if let Some(answer) = fresh {
            return Ok(answer.addresses.clone());
        }
        let failure = match tokio::time::timeout(timeout, lookup).await {
            Ok(Ok(addresses)) if !addresses.is_empty() => return Ok(self.keep(host, addresses)),
            Ok(Ok(_)) => not_found(host),
            Ok(Err(error)) => resolver_failed(host, &error.to_string()),
            Err(_) => timed_out(host),
        };
        cached.map(|stale| self.keep(host, stale.addresses)).ok_or(failure)
    }

    fn keep(&self, host: &str, addresses: Vec<IpAddr>) -> Vec<IpAddr> {
        let now = Instant::now();
        let mut answers = self.answers();
        if answers.len() >= CAPACITY && !answers.contains_key(host) {
            answers.retain(|_, answer| answer.expires > now);
        }
        if answers.len() >= CAPACITY && !answers.contains_key(host) {
            let oldest =
                answers.iter().min_by_key(|(_, answer)| answer.expires).map(|(name, _)| name.clone());
            oldest.and_then(|name| answers.remove(&name));
        }
        answers.insert(host.to_owned(), Answer { addresses: addresses.clone(), expires: now + TTL });
        addresses
    }

    /// The map is whole between any two statements, so a panic elsewhere does not spoil it.
    fn answers(&self) -> MutexGuard<'_, HashMap<String, Answer>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the system's resolvers say, with the name and number Node has for it. The standard library
/// keeps the text of an EAI error and drops its number, and the text is the C library's.
const RESOLVER_TEXTS: [(&str, &str, i32); 8] = [
    // No such name: glibc, musl, macOS, Windows.
    ("Name or service not known", "ENOTFOUND", -3008),
    ("Name does not resolve", "ENOTFOUND", -3008),
    ("nodename nor servname provided", "ENOTFOUND", -3008),
    ("No such host is known", "ENOTFOUND", -3008),
    // The name exists and has no address.
    ("No address associated with", "ENOTFOUND", -3007),
    // Try later.
    ("Temporary failure in name resolution", "EAI_AGAIN", -3001),
    ("Try again", "EAI_AGAIN", -3001),
    ("usually a temporary error", "EAI_AGAIN", -3001),
];

fn resolver_failed(host: &str, text: &str) -> Error {
    let known = RESOLVER_TEXTS.iter().find(|(fragment, ..)| text.contains(fragment));
    let (code, errno) = known.map_or(("EAI_FAIL", -3004), |(_, code, errno)| (*code, *errno));
    dns_failure(format!("getaddrinfo {code} {host}"), code, errno, host)
}

fn not_found(host: &str) -> Error {
    dns_failure(format!("getaddrinfo ENOTFOUND {host}"), "ENOTFOUND", -3007, host)
}

fn timed_out(host: &str) -> Error {
    let message = format!("DNS lookup for {host} timed out");
    Error::new(Code::Dns, message)
        .command("CONN")
        .fatal()
        .system(SystemError { code: "ETIMEOUT".to_owned(), ..SystemError::default() })
}

fn dns_failure(message: String, code: &str, errno: i32, host: &str) -> Error {
    Error::new(Code::Dns, message).command("CONN").fatal().system(SystemError {
        code: code.to_owned(),
        errno,
        syscall: "getaddrinfo",
        path: Some(host.to_owned()),
        ..SystemError::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(30);

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    async fn answer(last: u8) -> io::Result<Vec<IpAddr>> {
        Ok(vec![address(last)])
    }

    async fn failure(text: &str) -> io::Result<Vec<IpAddr>> {
        Err(io::Error::other(text.to_owned()))
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_serves_for_five_minutes() {
        let cache = Cache::default();
        assert_eq!(cache.resolve("a.test", WAIT, answer(1)).await.unwrap(), [address(1)]);
        tokio::time::advance(TTL - Duration::from_secs(1)).await;
        assert_eq!(cache.resolve("a.test", WAIT, answer(2)).await.unwrap(), [address(1)]);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(cache.resolve("a.test", WAIT, answer(2)).await.unwrap(), [address(2)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stale_answer_serves_when_the_resolver_fails_or_is_silent() {
        let cache = Cache::default();
        cache.resolve("a.test", WAIT, answer(1)).await.unwrap();
        for _ in 0..2 {
            tokio::time::advance(TTL * 2).await;
            let served = cache.resolve("a.test", WAIT, failure("Temporary failure in name resolution")).await;
            assert_eq!(served.unwrap(), [address(1)]);
        }
        tokio::time::advance(TTL * 2).await;
        let served = cache.resolve("a.test", WAIT, std::future::pending()).await;
        assert_eq!(served.unwrap(), [address(1)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_told_in_nodes_words_and_is_not_cached() {
        let cache = Cache::default();
        for (text, code, errno) in [
            ("failed to lookup address information: Name or service not known", "ENOTFOUND", -3008),
            ("failed to lookup address information: No address associated with hostname", "ENOTFOUND", -3007),
            (
                "failed to lookup address information: Temporary failure in name resolution",
                "EAI_AGAIN",
                -3001,
            ),
            ("something else", "EAI_FAIL", -3004),
        ] {
            let error = cache.resolve("a.test", WAIT, failure(text)).await.unwrap_err();
            assert_eq!(error.code(), Code::Dns);
            assert_eq!(error.message(), format!("getaddrinfo {code} a.test"));
            assert_eq!(error.command_name(), Some("CONN"));
            let system = error.system_error().unwrap();
            assert_eq!((system.code.as_str(), system.errno, system.syscall), (code, errno, "getaddrinfo"));
            assert_eq!(system.path.as_deref(), Some("a.test"));
        }
        assert!(cache.answers().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_resolver_costs_its_timeout_and_no_more() {
        let started = Instant::now();
        let error = Cache::default().resolve("a.test", WAIT, std::future::pending()).await.unwrap_err();
        assert_eq!(started.elapsed(), WAIT);
        assert_eq!(error.message(), "DNS lookup for a.test timed out");
        assert_eq!(error.system_error().unwrap().code, "ETIMEOUT");
    }

    #[tokio::test(start_paused = true)]
    async fn the_cache_drops_the_oldest_names_when_it_is_full() {
        let cache = Cache::default();
        for n in 0..=CAPACITY {
            cache.resolve(&format!("{n}.test"), WAIT, answer(1)).await.unwrap();
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert_eq!(cache.answers().len(), CAPACITY);
        assert!(!cache.answers().contains_key("0.test"));
    }

    #[tokio::test]
    async fn an_ip_literal_is_not_looked_up() {
        assert_eq!(resolve("192.0.2.7", Duration::ZERO).await.unwrap(), [address(7)]);
        assert_eq!(resolve("::1", Duration::ZERO).await.unwrap(), [IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])]);
    }

    #[tokio::test]
    async fn the_hosts_file_counts() {
        let found = resolve("localhost", WAIT).await.unwrap();
        assert!(found.iter().all(IpAddr::is_loopback), "{found:?}");
    }
}
