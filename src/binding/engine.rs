//! The class JavaScript sees: one pool.

#![allow(unreachable_pub, private_interfaces, reason = "the macro exports what is public, to JavaScript")]
#![allow(clippy::use_self, reason = "the macro repeats argument types where there is no `Self`")]

use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use napi::Env;
use napi::bindgen_prelude::{Buffer, ClassInstance, Either, Function};
use napi_derive::napi;
use serde::Deserialize;

use super::announced::Announced;
use super::compose::{GivenBack, given_back, part};
use super::copies::Copies;
use super::files::Files;
use super::options::{Options, ResizeInput, TlsInput};
use super::outbox::{Outbox, lock};
use super::runtime::runtime;
use super::streamed::{Streamed, Streams, stream_error};
use super::text::Text;
use crate::error::{Code, Error, SystemError};
use crate::mail::{Dsn, Envelope, Message};
use crate::message::Recorded;
use crate::pool::Secret;
use crate::pool::{Pool, Submission};

/// Messages handed over at once: the engine need not wait for the end of a long burst.
const GATHER: usize = 256;

/// A pool. Every method returns at once; what comes of it arrives in the callback.
#[napi]
#[allow(missing_debug_implementations, reason = "it holds credentials")]
pub struct Engine {
    pool: Pool,
    outbox: Outbox,
    streams: Streams,
    copies: Copies,
    /// Messages of this turn of the event loop: handed to the pool's thread together, it is woken
    /// once rather than for each.
    gathered: Mutex<Vec<Submission>>,
    /// Tell when a message is begun, for the log.
    announce: bool,
}

/// The envelope of a message JavaScript composes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EnvelopeInput {
    from: String,
    to: Vec<String>,
    message_id: String,
    #[serde(default)]
    dsn: Option<DsnInput>,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    use8_bit_mime: bool,
    #[serde(default, rename = "requireTLS")]
    require_tls: bool,
}

#[derive(Deserialize)]
struct DsnInput {
    ret: Option<String>,
    envid: Option<String>,
    notify: Option<String>,
    orcpt: Option<String>,
}

#[napi]
impl Engine {
    /// Starts a pool. `callback` gets a JSON array of events. It shares the limits on the rate with
    /// the pool `beside`, which it serves an account of.
    #[napi(constructor, catch_unwind)]
    pub fn new(
        env: Env,
        options: String,
        tls: TlsInput,
        proxy_tls: Option<TlsInput>,
        callback: Function<'_, String, ()>,
        beside: Option<ClassInstance<'_, Engine>>,
    ) -> napi::Result<Self> {
        let options = Options::parse(&options).map_err(thrown)?;
        let hosts = options.hosts(&tls, proxy_tls.as_ref()).map_err(thrown)?;
        let outbox = Outbox::new(&callback)?;
        let runtime = runtime().map_err(|error| napi::Error::from_reason(error.to_string()))?;
        let _entered = runtime.enter();
        let bounds = options.pool_options();
        let pool = match beside {
            Some(other) => other.pool.start_beside(bounds, hosts, outbox.clone()),
            None => Pool::start(bounds, hosts, outbox.clone()),
        };
        // A worker thread that ends takes its pools with it.
        let abandoned = pool.clone();
        env.add_env_cleanup_hook((), move |()| abandoned.abandon())?;
        let announce = options.pool.is_verbose();
        Ok(Self {
            pool,
            outbox,
            streams: Streams::default(),
            copies: Copies::default(),
            gathered: Mutex::default(),
            announce,
        })
    }

    /// Queues a message the engine composes.
    #[napi(catch_unwind)]
    pub fn send(
        &self,
        id: i64,
        record: String,
        #[napi(ts_arg_type = "Array<string | Buffer>")] parts: Vec<Either<Text, Buffer>>,
        lane: Option<String>,
        timeout: Option<i64>,
    ) {
        let parts: Box<_> = parts.into_iter().map(|value| part(value, &self.copies)).collect();
        let message = Recorded::new(record, parts, Files);
        self.submit(id, Arc::new(message), lane, timeout);
    }

    /// Queues a message whose bytes JavaScript makes when asked by an `open` event.
    #[napi(catch_unwind)]
    pub fn send_streamed(
        &self,
        id: i64,
        envelope: String,
        lane: Option<String>,
        timeout: Option<i64>,
    ) -> napi::Result<()> {
        let input: EnvelopeInput =
            serde_json::from_str(&envelope).map_err(|error| napi::Error::from_reason(error.to_string()))?;
        let message = Streamed {
            id: number(id),
            message_id: input.message_id,
            envelope: Envelope {
                from: input.from,
                to: input.to,
                dsn: input.dsn.map(|dsn| Dsn {
                    ret: dsn.ret,
                    envid: dsn.envid,
                    notify: dsn.notify,
                    orcpt: dsn.orcpt,
                }),
                size: input.size,
                use_8bit_mime: input.use8_bit_mime,
                require_tls: input.require_tls,
            },
            attempts: AtomicU32::new(0),
            streams: self.streams.clone(),
            outbox: self.outbox.clone(),
        };
        self.submit(id, Arc::new(message), lane, timeout);
        Ok(())
    }

    /// Hands the messages queued since the last call to the pool.
    #[napi(catch_unwind)]
    pub fn flush(&self) {
        let gathered = std::mem::take(&mut *lock(&self.gathered));
        if !gathered.is_empty() {
            self.pool.submit(gathered);
        }
    }

    /// A piece of a streamed message. Gives false when the next one should wait for `drain`.
    #[napi(catch_unwind)]
    pub fn chunk(&self, id: i64, attempt: u32, piece: &[u8]) -> bool {
        self.streams.chunk(number(id), attempt, Bytes::copy_from_slice(piece))
    }

    /// A streamed message is complete, or broke.
    #[napi(catch_unwind)]
    pub fn end(&self, id: i64, attempt: u32, error: Option<String>) {
        self.streams.end(number(id), attempt, error.map(stream_error));
    }

    /// Gives a message up.
    #[napi(catch_unwind)]
    pub fn cancel(&self, id: i64) {
        self.flush();
        self.pool.cancel(number(id));
    }

    /// Connects and logs in once.
    #[napi(catch_unwind)]
    pub fn verify(&self, id: i64) {
        self.pool.verify(number(id));
    }

    /// Closes the pool; the first `assigned` queued messages still leave unless `force`.
    #[napi(catch_unwind)]
    pub fn close(&self, force: bool, assigned: u32) {
        self.flush();
        self.pool.close(force, assigned as usize);
    }

    /// Sends what is queued, then closes.
    #[napi(catch_unwind)]
    pub fn drain(&self) {
        self.flush();
        self.pool.drain();
    }

    /// Gives back what is queued for another engine to send, lets the rest finish, then ends.
    #[napi(catch_unwind)]
    pub fn give_back(&self) {
        self.flush();
        self.pool.give_back();
    }

    /// A message that failed in the batch of events at hand and that another engine may send; none
    /// if it was not given back, or the next batch was asked for since.
    #[napi(catch_unwind)]
    pub fn take_back(&self, id: i64) -> Option<GivenBack> {
        self.outbox.take_back(number(id)).map(|message| given_back(message.as_ref()))
    }

    /// Stops or resumes handing out messages.
    #[napi(catch_unwind)]
    pub fn pause(&self, paused: bool) {
        self.pool.pause(paused);
    }

    /// Changes bounds.
    #[napi(catch_unwind)]
    pub fn resize(&self, bounds: String) -> napi::Result<()> {
        self.pool.resize(ResizeInput::parse(&bounds).map_err(thrown)?);
        Ok(())
    }

    /// Starts a new generation of connections.
    #[napi(catch_unwind)]
    pub fn rotate(&self, options: String, tls: TlsInput, proxy_tls: Option<TlsInput>) -> napi::Result<()> {
        let hosts = Options::parse(&options).and_then(|o| o.hosts(&tls, proxy_tls.as_ref()));
        self.pool.rotate(hosts.map_err(thrown)?);
        Ok(())
    }

    /// The token a `token` event asked for, or why there is none: a text and a code.
    #[napi(catch_unwind)]
    pub fn token(&self, connection: i64, token: Option<String>, error: Option<String>, code: Option<String>) {
        let token = token.map(Secret::new).ok_or_else(|| {
            let error = Error::new(Code::Auth, error.unwrap_or_default()).command("AUTH XOAUTH2");
            let code = code.unwrap_or_default();
            if code.is_empty() { error } else { error.system(SystemError { code, ..SystemError::default() }) }
        });
        self.pool.token(number(connection), token);
    }

    /// A line of the caller's authentication handler.
    #[napi(catch_unwind)]
    pub fn auth_command(&self, connection: i64, line: String) {
        self.pool.auth_command(number(connection), line);
    }

    /// The caller's authentication handler is done: `error` says why it failed.
    #[napi(catch_unwind)]
    pub fn auth_done(
        &self,
        connection: i64,
        command: String,
        error: Option<String>,
        response: Option<String>,
    ) {
        let result = match error {
            None => Ok(()),
            Some(text) => {
                Err(Error::new(Code::Auth, text).response(response.unwrap_or_default()).command(command))
            }
        };
        self.pool.auth_done(number(connection), result);
    }

    /// The pool as it is now, as JSON; none when it has ended.
    #[napi(catch_unwind)]
    pub fn stats(&self) -> Option<String> {
        self.outbox.snapshot(|id| self.pool.stats(id))
    }

    /// The last batch of events is dealt with: gives the next one, or calls back once there is one.
    #[napi(catch_unwind)]
    pub fn next(&self) -> Option<String> {
        self.outbox.next()
    }

    /// Keeps Node alive, or no longer.
    #[napi(catch_unwind)]
    pub fn hold(&self, env: Env, hold: bool) -> napi::Result<()> {
        self.outbox.hold(&env, hold)
    }
}

impl Engine {
    fn submit(&self, id: i64, message: Arc<dyn Message>, lane: Option<String>, timeout: Option<i64>) {
        let id = number(id);
        let message = if self.announce {
            Arc::new(Announced { id, message, outbox: self.outbox.clone() })
        } else {
            message
        };
        let submission = Submission { id, message, lane: lane.map(Arc::from), timeout: timeout.map(number) };
        let mut gathered = lock(&self.gathered);
        gathered.push(submission);
        if gathered.len() >= GATHER {
            drop(gathered);
            self.flush();
        }
    }
}

/// The facade counts from 1 and never reaches 2⁵³.
fn number(id: i64) -> u64 {
    id.cast_unsigned()
}

fn thrown(error: Error) -> napi::Error {
    napi::Error::from_reason(error.message())
}
