//! Options as the facade hands them over, in the engine's own terms. What nodemailer's options
//! mean is decided in the facade; here every field has its type and its unit.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use napi::bindgen_prelude::Uint8Array;
use napi_derive::napi;
use serde::Deserialize;

use crate::error::{Code, Error, Result};
use crate::pool::{Credentials, HandshakeOptions, Pipelining, Secret, Settings};
use crate::pool::{LaneWeight, PoolOptions, RateLimit, Resize};
use crate::pool::{Proxy, ProxyKind, Target, Tls, TlsOptions, TlsVersion};

/// Everything a pool needs. Durations are in milliseconds.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Options {
    /// At least one.
    hosts: Vec<Host>,
    secure: bool,
    servername: Option<String>,
    name: String,
    lmtp: bool,
    #[serde(rename = "ignoreTLS")]
    ignore_tls: bool,
    #[serde(rename = "requireTLS")]
    require_tls: bool,
    #[serde(rename = "opportunisticTLS")]
    opportunistic_tls: bool,
    local_address: Option<IpAddr>,
    connection_timeout: u64,
    greeting_timeout: u64,
    socket_timeout: u64,
    dns_timeout: u64,
    max_response_size: usize,
    auth: Option<Auth>,
    force_auth: bool,
    custom_methods: Vec<String>,
    proxy: Option<ProxyOptions>,
    /// 0 is off, 1 and more the window, absent is automatic.
    pipelining: Option<usize>,
    log: bool,
    pub(super) pool: Pool,
}

#[derive(Deserialize)]
struct Host {
    host: String,
    port: u16,
    servername: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Auth {
    user: String,
    pass: Option<String>,
    oauth2: bool,
    method: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ProxyOptions {
    kind: String,
    host: String,
    port: u16,
    username: Option<String>,
    password: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Pool {
    max_connections: usize,
    min_connections: usize,
    max_connecting: usize,
    max_messages: u32,
    max_requeues: Option<u32>,
    idle_timeout: Option<u64>,
    max_lifetime: Option<u64>,
    rate: Option<Rate>,
    max_recipients_per_second: Option<u32>,
    max_bytes_per_second: Option<u64>,
    max_queue: Option<usize>,
    max_queue_bytes: Option<usize>,
    queue_timeout: Option<u64>,
    timeout: Option<u64>,
    lanes: Vec<Lane>,
    retry_in_doubt: bool,
    learn_limits: bool,
    verbose: bool,
}

#[derive(Deserialize)]
struct Lane {
    name: String,
    weight: u32,
}

#[derive(Clone, Copy, Deserialize)]
struct Rate {
    limit: u32,
    delta: u64,
}

/// TLS settings; certificates and keys as bytes.
#[napi(object)]
#[derive(Default)]
#[allow(missing_debug_implementations, reason = "it holds a key")]
pub(super) struct TlsInput {
    pub ca: Option<Vec<Uint8Array>>,
    pub roots: Option<Uint8Array>,
    pub cert: Option<Uint8Array>,
    pub key: Option<Uint8Array>,
    pub reject_unauthorized: Option<bool>,
    pub servername: Option<String>,
    pub min_version: Option<String>,
    pub max_version: Option<String>,
    pub ciphers: Option<Vec<String>>,
    pub alpn: Option<Vec<Uint8Array>>,
}

/// Bounds that change at run time.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ResizeInput {
    max_connections: Option<usize>,
    min_connections: Option<usize>,
    #[serde(default)]
    rate: Option<Option<Rate>>,
}

impl Options {
    pub(super) fn parse(json: &str) -> Result<Self> {
        serde_json::from_str(json).map_err(config)
    }

    /// What the pool may do.
    pub(super) fn pool_options(&self) -> PoolOptions {
        PoolOptions { login: self.auth.is_some(), ..self.pool.build() }
    }

    /// How connections are made to each host.
    pub(super) fn hosts(&self, tls: &TlsInput, proxy_tls: Option<&TlsInput>) -> Result<Vec<Arc<Settings>>> {
        let tls = Arc::new(tls.build()?);
        let proxy = match &self.proxy {
            None => None,
            Some(proxy) => Some(proxy.build(proxy_tls)?),
        };
        Ok(self.hosts.iter().map(|host| Arc::new(self.settings(host, &tls, proxy.clone()))).collect())
    }

    fn settings(&self, host: &Host, tls: &Arc<Tls>, proxy: Option<Proxy>) -> Settings {
        let target = Target {
            host: host.host.clone(),
            port: host.port,
            secure: self.secure,
            servername: host.servername.clone().or_else(|| self.servername.clone()),
            local_address: self.local_address,
            proxy,
            tls: Arc::clone(tls),
            dns_timeout: millis(self.dns_timeout),
        };
        let handshake = HandshakeOptions {
            name: self.name.clone(),
            lmtp: self.lmtp,
            secure: self.secure,
            ignore_tls: self.ignore_tls,
            require_tls: self.require_tls,
            opportunistic_tls: self.opportunistic_tls,
            force_auth: self.force_auth,
            credentials: self.auth.as_ref().map(Auth::build),
            custom_methods: self.custom_methods.clone(),
            server: (host.host.clone(), host.port),
            // Each connection makes one of its own.
            nonce: String::new(),
            log: self.log,
        };
        Settings {
            target: Arc::new(target),
            handshake,
            pipelining: match self.pipelining {
                None => Pipelining::Auto,
                Some(0) => Pipelining::Off,
                Some(window) => Pipelining::Window(window),
            },
            ladder: Arc::default(),
            connection_timeout: millis(self.connection_timeout),
            greeting_timeout: millis(self.greeting_timeout),
            socket_timeout: millis(self.socket_timeout),
            max_response_size: self.max_response_size,
        }
    }
}

impl Auth {
    fn build(&self) -> Credentials {
        Credentials {
            user: self.user.clone(),
            password: self.pass.clone().map(Secret::new),
            oauth2: self.oauth2,
            method: self.method.clone(),
        }
    }
}

impl ProxyOptions {
    fn build(&self, tls: Option<&TlsInput>) -> Result<Proxy> {
        let kind = match self.kind.as_str() {
            "http" => ProxyKind::Http(None),
            "https" => {
                let tls = tls.map_or_else(|| TlsInput::default().build(), TlsInput::build)?;
                ProxyKind::Http(Some(Arc::new(tls)))
            }
            "socks4" => ProxyKind::Socks4,
            "socks5" => ProxyKind::Socks5,
            other => return Err(Error::new(Code::Config, format!("unknown proxy kind {other}"))),
        };
        Ok(Proxy {
            kind,
            host: self.host.clone(),
            port: self.port,
            username: self.username.clone(),
            password: self.password.clone(),
        })
    }
}

impl Pool {
    /// Whether every step of every message is told.
    pub(super) fn is_verbose(&self) -> bool {
        self.verbose
    }

    fn build(&self) -> PoolOptions {
        PoolOptions {
            max_connections: self.max_connections,
            min_connections: self.min_connections,
            max_connecting: self.max_connecting,
            max_messages: self.max_messages,
            max_requeues: self.max_requeues,
            idle_timeout: self.idle_timeout.map(millis),
            max_lifetime: self.max_lifetime.map(millis),
            rate: self.rate.map(Rate::build),
            max_recipients_per_second: self.max_recipients_per_second,
            max_bytes_per_second: self.max_bytes_per_second,
            max_queue: self.max_queue,
            max_queue_bytes: self.max_queue_bytes,
            queue_timeout: self.queue_timeout.map(millis),
            timeout: self.timeout.map(millis),
            lanes: self
                .lanes
                .iter()
                .map(|lane| LaneWeight { name: lane.name.clone(), weight: lane.weight })
                .collect(),
            retry_in_doubt: self.retry_in_doubt,
            learn_limits: self.learn_limits,
            login: false,
            verbose: self.verbose,
        }
    }
}

impl Rate {
    fn build(self) -> RateLimit {
        RateLimit { limit: self.limit, delta: millis(self.delta) }
    }
}

impl ResizeInput {
    pub(super) fn parse(json: &str) -> Result<Resize> {
        let input: Self = serde_json::from_str(json).map_err(config)?;
        Ok(Resize {
            max_connections: input.max_connections,
            min_connections: input.min_connections,
            rate: input.rate.map(|rate| rate.map(Rate::build)),
        })
    }
}

impl TlsInput {
    fn build(&self) -> Result<Tls> {
        let bytes = |value: &Option<Uint8Array>| value.as_ref().map(|b| b.to_vec()).unwrap_or_default();
        let version = |name: &Option<String>| match name.as_deref() {
            Some("TLSv1.2") => Some(TlsVersion::V1_2),
            Some("TLSv1.3") => Some(TlsVersion::V1_3),
            _ => None,
        };
        Tls::new(TlsOptions {
            ca: self.ca.as_ref().map(|list| list.iter().map(|pem| pem.to_vec()).collect()),
            roots: bytes(&self.roots),
            cert: bytes(&self.cert),
            key: bytes(&self.key),
            reject_unauthorized: self.reject_unauthorized.unwrap_or(true),
            servername: self.servername.clone(),
            min_version: version(&self.min_version),
            max_version: version(&self.max_version),
            ciphers: self.ciphers.clone().unwrap_or_default(),
            alpn: self.alpn.iter().flatten().map(|name| name.to_vec()).collect(),
        })
    }
}

fn millis(value: u64) -> Duration {
    Duration::from_millis(value)
}

fn config(error: serde_json::Error) -> Error {
    Error::new(Code::Config, format!("options: {error}"))
}
