//! The sink: what all its connections share, and the ways to reach it.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::capture::{Log, Message, Read};
use crate::clock::Clock;
use crate::config::{Auth, Config};
use crate::pipe::{Pipe, pipe};
use crate::script::{Rule, Script};
use crate::server::Server;
use crate::shell;
use crate::stats::{Counters, Stats, count};
use crate::tls;
use crate::transport::Transport;

/// Octets an in-memory connection takes in each direction.
const PIPE_CAPACITY: usize = 64 * 1024;
const BACKLOG: u32 = 1024;

/// A server for tests. A cheap handle; when the last one is dropped its listeners stop.
#[derive(Clone, Debug)]
pub struct Sink {
    shared: Arc<Shared>,
    listeners: Arc<Mutex<Listeners>>,
}

#[derive(Debug, Default)]
struct Listeners(Vec<JoinHandle<()>>);

impl Drop for Listeners {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// What the connections of a sink share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) counters: Counters,
    pub(crate) script: Script,
    pub(crate) tls: Option<Tls>,
    account: Mutex<Option<Auth>>,
    log: Mutex<Log>,
    /// Messages ever accepted; names them in replies, is not reset.
    accepted: AtomicU64,
    open: watch::Sender<u64>,
}

/// A TLS acceptor without its lengthy `Debug`.
pub(crate) struct Tls(pub(crate) TlsAcceptor);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Sink {
    /// A sink with these settings. Fails only if certificates are asked for that cannot be read.
    pub fn new(config: Config) -> io::Result<Self> {
        let encrypts = config.tls || config.starttls;
        let tls = encrypts.then(|| tls::server_config(&config)).transpose()?;
        let shared = Shared {
            counters: Counters::default(),
            script: Script::new(config.script.clone(), config.seed),
            tls: tls.map(|tls| Tls(TlsAcceptor::from(tls))),
            account: Mutex::new(config.auth.clone()),
            log: Mutex::default(),
            accepted: AtomicU64::new(0),
            open: watch::Sender::new(0),
            config,
        };
        Ok(Self { shared: Arc::new(shared), listeners: Arc::default() })
    }

    /// Serves TCP connections at this address, `127.0.0.1:0` for a free port; returns the address.
    pub async fn listen(&self, address: &str) -> io::Result<SocketAddr> {
        let address = lookup_host(address).await?.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        if let Some(window) = self.shared.config.window {
            let window = u32::try_from(window).unwrap_or(u32::MAX);
            socket.set_recv_buffer_size(window)?;
            socket.set_send_buffer_size(window)?;
        }
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(accept(listener, Arc::clone(&self.shared)));
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).0.push(task);
        Ok(address)
    }

    /// Opens an in-memory connection, served by a task of its own; returns the client's end.
    pub fn connect(&self) -> Pipe {
        let (client, server) = pipe(PIPE_CAPACITY);
        tokio::spawn(shell::run(Arc::clone(&self.shared), server, Clock::Runtime));
        client
    }

    /// Serves one connection until it ends. A connection that breaks is no error.
    pub async fn serve(&self, transport: impl Transport) {
        shell::run(Arc::clone(&self.shared), transport, Clock::Runtime).await;
    }

    /// The protocol of one more connection, for callers that move the octets themselves.
    pub fn session(&self) -> Server {
        Server::new(Arc::clone(&self.shared))
    }

    /// The counters now.
    pub fn stats(&self) -> Stats {
        self.shared.counters.snapshot()
    }

    /// The messages accepted and kept so far.
    pub fn messages(&self) -> Vec<Message> {
        self.shared.log().messages().to_vec()
    }

    /// The commands of each read, if [`Config::record`] is set.
    pub fn reads(&self) -> Vec<Read> {
        self.shared.log().reads().to_vec()
    }

    /// Replaces the script, for connections that are open too.
    pub fn set_script(&self, rules: Vec<Rule>) {
        self.shared.script.set(rules);
    }

    /// Replaces the account; who is authenticated stays so.
    pub fn set_auth(&self, account: Option<Auth>) {
        *self.shared.account.lock().unwrap_or_else(PoisonError::into_inner) = account;
    }

    /// Forgets counters, messages and reads. Connections are counted from 1 again.
    pub fn reset(&self) {
        self.shared.counters.reset();
        *self.shared.log() = Log::default();
    }

    /// Waits until no connection is open.
    pub async fn closed(&self) {
        // The sender lives in `self.shared`, so waiting cannot fail.
        let _ = self.shared.open.subscribe().wait_for(|open| *open == 0).await;
    }
}

impl Shared {
    /// Counts a connection; returns its number.
    pub(crate) fn opened(&self) -> u64 {
        self.open.send_modify(|open| *open += 1);
        let open = self.counters.open.fetch_add(1, Ordering::Relaxed) + 1;
        self.counters.max_open.fetch_max(open, Ordering::Relaxed);
        self.counters.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn closed(&self, quit: bool) {
        if !quit {
            count(&self.counters.without_quit);
        }
        self.counters.open.fetch_sub(1, Ordering::Relaxed);
        self.open.send_modify(|open| *open -= 1);
    }

    pub(crate) fn account(&self) -> Option<Auth> {
        // Fixed for most sinks: no lock for every MAIL of a benchmark.
        self.account.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn next_message(&self) -> u64 {
        self.accepted.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Octets of a body worth keeping.
    pub(crate) fn body_limit(&self) -> usize {
        let capture = &self.config.capture;
        if capture.messages == 0 { 0 } else { capture.body_bytes.min(capture.total_bytes) }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                prepare(&stream, &shared.config);
                tokio::spawn(shell::run(Arc::clone(&shared), stream, Clock::System));
            }
            // Out of descriptors: others have to end first.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
        }
    }
}

fn prepare(stream: &TcpStream, config: &Config) {
    // An option that cannot be set only makes the sink slower.
    let _ = stream.set_nodelay(!config.nagle);
}
