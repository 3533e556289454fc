//! `/metrics`, `/healthz` and `/readyz`; and, since they need the same runtime, the signals.
//!
//! *In*: HTTP/1 requests on a socket that was bound before privileges were dropped. *Out*: the metrics' text; 200 while the
//! process lives; 200 while at least one interface is watched, else 503. Anything else is 404, another method 405.
//!
//! Everything is bounded: [`MOST_CONNECTIONS`] at a time, the others wait in the kernel; one request each, with at most
//! [`MOST_HEAD`] octets of it read, within [`PATIENCE`]. Nothing here is on the way of a packet.
//!
//! *Left out*: TLS and passwords. The default address is the machine's own; put a proxy before any other.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};

use crate::exit::{self, Failure};
use crate::signals::Signals;
use crate::telemetry::Telemetry;

/// What the server's thread and the capture tell each other.
pub struct Status {
    /// The metrics.
    pub telemetry: Telemetry,
    ready: AtomicBool,
    stop: AtomicBool,
}

impl Status {
    /// Not ready, and not to be stopped.
    #[must_use]
    pub fn new(telemetry: Telemetry) -> Self {
        Self {
            telemetry,
            ready: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        }
    }

    /// Says whether packets are watched.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    /// Asks the capture to end.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether the capture is asked to end.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Binds the socket.
///
/// # Errors
/// When the address is taken, or not one of this machine.
pub fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).map_err(|error| {
        exit::usage(format!(
            "cannot listen on {address}: {error}; choose another address with --listen"
        ))
    })
}

/// The server, running in its own thread.
pub struct Server {
    end: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Server {
    /// Starts to serve, to write the metrics file, and to take SIGINT, SIGTERM and SIGHUP from here on.
    ///
    /// # Errors
    /// When the operating system has no thread, descriptor or signal left.
    pub fn start(
        listener: TcpListener,
        status: Arc<Status>,
        metrics_file: Option<PathBuf>,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        listener.set_nonblocking(true)?;
        let (listener, signals) = {
            let _in_runtime = runtime.enter();
            (
                tokio::net::TcpListener::from_std(listener)?,
                Signals::new()?,
            )
        };
        let (end, ended) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("serve".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = accept(listener, &status) => {}
                        () = signals.watch(&status.stop) => {}
                        () = write_file(metrics_file.as_deref(), &status) => {}
                        _ = ended => {}
                    }
                });
            })?;
        Ok(Self { end, thread })
    }

    /// Ends the thread; what is being answered is cut.
    pub fn finish(self) {
        let _ = self.end.send(());
        let _ = self.thread.join();
    }
}

async fn write_file(path: Option<&Path>, status: &Status) {
    let Some(path) = path else {
        return std::future::pending().await;
    };
    let mut failing = false;
    loop {
        tokio::time::sleep(BETWEEN_FILES).await;
        let written = status.telemetry.write_file(path);
        if let (Err(error), false) = (&written, failing) {
            exit::tell(format_args!("cannot write {}: {error}", path.display()));
        }
        failing = written.is_err();
    }
}

async fn accept(listener: tokio::net::TcpListener, status: &Arc<Status>) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let status = Arc::clone(status);
                tokio::spawn(async move {
                    let _ = tokio::time::timeout(PATIENCE, converse(stream, status)).await;
                    drop(place);
                });
            }
            // The client has gone already, or there is no descriptor left: not to be tried in a busy loop.
            Err(_) => tokio::time::sleep(AFTER_ERROR).await,
        }
    }
}

async fn converse(stream: TcpStream, status: Arc<Status>) {
    let answer = service_fn(|request: Request<Incoming>| {
        let answer = answer(request.method(), request.uri().path(), &status);
        async move { Ok::<_, Infallible>(answer) }
    });
    // A client that breaks off or sends something else than HTTP is its own matter.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(MOST_HEAD)
        // One request each, so that the patience ends no connection between two scrapes.
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
}

fn answer(method: &Method, path: &str, status: &Status) -> Response<Full<Bytes>> {
    let known = matches!(path, "/metrics" | "/healthz" | "/readyz");
    if known && !matches!(*method, Method::GET | Method::HEAD) {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match path {
        "/metrics" => {
            let mut response = plain(StatusCode::OK, status.telemetry.text());
            response
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static(METRICS_TYPE));
            response
        }
        "/healthz" => plain(StatusCode::OK, "alive\n"),
        "/readyz" if status.ready.load(Ordering::Relaxed) => plain(StatusCode::OK, "watching\n"),
        "/readyz" => plain(StatusCode::SERVICE_UNAVAILABLE, "no interface is watched\n"),
        _ => plain(
            StatusCode::NOT_FOUND,
            "there are /metrics, /healthz and /readyz\n",
        ),
    }
}

fn plain(code: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = code;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

/// Two scrapers, a probe and some curious people; each costs a descriptor and some kilobytes.
const MOST_CONNECTIONS: usize = 32;
/// Less than this hyper does not accept; a scrape's head has some hundred octets.
const MOST_HEAD: usize = 8_192;
/// Prometheus' own default scrape timeout; the tests have less time.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 10 });
const AFTER_ERROR: Duration = Duration::from_millis(100);
/// Within the usual scrape interval of 15 s.
const BETWEEN_FILES: Duration = Duration::from_secs(10);
/// The text format of Prometheus.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

#[cfg(test)]
mod tests;
