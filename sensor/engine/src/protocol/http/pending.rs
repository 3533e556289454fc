//! Pairs answers with requests, and says what both tell.

use std::collections::VecDeque;

use terrier_wire::http::{self, Message, Request, WebSocketFields, Wstunnel};
use terrier_wire::websocket::{Agreement, tokens};

use crate::observation::{Fact, Frames, Http, Marks, Side, WebSocket};
use crate::protocol::Emit;

/// The requests of one connection that wait for their answers.
#[derive(Default)]
pub(super) struct Pending {
    /// Oldest first: [`http::MAX_PENDING`] and one at most, which the decoder sees to.
    requests: VecDeque<Waiting>,
    /// No answer will come for these and what follows.
    answers_lost: bool,
    client: Option<Side>,
    /// The last request that was told: who asked for a WebSocket, and what the heads agreed on as far as they were seen.
    websocket: Option<(Side, Agreement)>,
}

impl Pending {
    /// Who asks.
    pub(super) fn client(&self) -> Option<Side> {
        self.client
    }

    /// The WebSocket that the last request asked for.
    pub(super) fn websocket(&self) -> Option<(Side, Agreement)> {
        self.websocket
    }

    /// Octets kept of the requests.
    pub(super) fn held(&self) -> usize {
        self.requests.iter().map(Waiting::held).sum()
    }

    /// `head` are the frames of the message.
    pub(super) fn take(
        &mut self,
        message: Message,
        from: Side,
        head: &Frames,
        emit: &mut Emit<'_>,
    ) {
        match message {
            Message::Request(request) => {
                self.client = Some(from);
                let waiting = Waiting::new(request, from, head.clone());
                self.requests.push_back(waiting);
                if self.answers_lost {
                    self.give_up(emit);
                }
            }
            Message::Answer(answer) => {
                self.client = Some(from.other());
                let is_granted = answer.status == 101;
                if let Some(mut request) = self.requests.pop_front() {
                    for &frame in head.numbers() {
                        request.frames.add(head.capture, frame);
                    }
                    self.websocket = request.answered(&answer, is_granted, emit);
                } else if is_granted && names_websocket(answer.upgrade.as_deref()) {
                    // An answer alone has no record: it tells nothing that anybody asked. What follows is read.
                    self.websocket = Some((from.other(), agreement(&answer)));
                }
            }
            Message::AnswersLost => {
                self.answers_lost = true;
                self.give_up(emit);
            }
            Message::Dns(..) => {}
        }
    }

    /// Hands out what waits, without a status.
    pub(super) fn give_up(&mut self, emit: &mut Emit<'_>) {
        for request in self.requests.drain(..) {
            self.websocket = request.unanswered(emit);
        }
    }
}

/// A request, of HTTP/1 or a stream of HTTP/2, before its answer.
pub(in crate::protocol) struct Waiting {
    pub(in crate::protocol) http: Http,
    offer: WebSocketFields,
    wstunnel: Option<Wstunnel>,
    pub(in crate::protocol) frames: Frames,
}

impl Waiting {
    pub(in crate::protocol) fn new(request: Request, client: Side, frames: Frames) -> Self {
        const { assert!(http::MAX_TARGET <= Http::MAX_URI) };
        Self {
            http: Http {
                method: request.method,
                host: request.host,
                uri: request.target,
                status: None,
                user_agent: request.user_agent,
                upgrade: request.upgrade,
                version: None,
                client,
            },
            offer: request.websocket,
            wstunnel: request.wstunnel,
            frames,
        }
    }

    /// Octets kept of it.
    pub(in crate::protocol) fn held(&self) -> usize {
        let Http {
            host,
            uri,
            user_agent,
            upgrade,
            ..
        } = &self.http;
        let texts = [host, user_agent, upgrade];
        let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
        size_of::<Self>() + uri.len() + texts
    }

    pub(in crate::protocol) fn is_websocket(&self) -> bool {
        names_websocket(self.http.upgrade.as_deref())
    }

    /// A stream of wstunnel over HTTP/2 is a tunnel from its first octet.
    pub(in crate::protocol) fn is_wstunnel(&self) -> bool {
        self.wstunnel.is_some()
    }

    /// Hands out the request with its answer. Where that changes the protocol to WebSocket, answers for whom and how.
    pub(in crate::protocol) fn answered(
        mut self,
        answer: &http::Answer,
        is_granted: bool,
        emit: &mut Emit<'_>,
    ) -> Option<(Side, Agreement)> {
        self.http.status = Some(answer.status);
        let elsewhere = answer.upgrade.is_some() && !names_websocket(answer.upgrade.as_deref());
        let is_granted = is_granted && !elsewhere;
        let (client, is_websocket) = (self.http.client, self.is_websocket());
        self.tell(answer.websocket.clone(), Some(is_granted), emit);
        (is_websocket && is_granted).then(|| (client, agreement(answer)))
    }

    /// Hands out the request without an answer. Where it asked for a WebSocket, answers for whom, with an agreement on
    /// nothing: what follows may have been granted and be read all the same.
    pub(in crate::protocol) fn unanswered(self, emit: &mut Emit<'_>) -> Option<(Side, Agreement)> {
        let asked = self
            .is_websocket()
            .then(|| (self.http.client, Agreement::default()));
        self.tell(WebSocketFields::default(), None, emit);
        asked
    }

    fn tell(self, answer: WebSocketFields, accepted: Option<bool>, emit: &mut Emit<'_>) {
        let websocket = self.is_websocket().then(|| WebSocket {
            host: self.http.host.clone(),
            uri: self.http.uri.clone(),
            offered: tokens(self.offer.subprotocols.as_deref().unwrap_or_default())
                .map(str::to_owned)
                .collect(),
            subprotocol: answer.subprotocols,
            extensions: answer.extensions,
            accepted,
            client: self.http.client,
        });
        let client = self.http.client;
        let gateway = gateway(&self.http);
        let fact = Fact::Http(Box::new(self.http));
        if websocket.is_none() && gateway.is_none() && self.wstunnel.is_none() {
            // Nearly all there is: nobody else needs the frames.
            return emit.fact_of(self.frames, fact);
        }
        emit.fact(&self.frames, fact);
        if let Some(websocket) = websocket {
            emit.fact(&self.frames, Fact::WebSocket(Box::new(websocket)));
        }
        let tunnel = self.wstunnel.map(|tunnel| {
            let details = vec![("mode", tunnel.protocol), ("target", tunnel.target)];
            ("wstunnel", details)
        });
        for (protocol, details) in tunnel.into_iter().chain(gateway) {
            let marks = Marks {
                protocol,
                client,
                details,
            };
            emit.fact(&self.frames, Fact::Marks(marks));
        }
    }
}

fn names_websocket(upgrade: Option<&str>) -> bool {
    tokens(upgrade.unwrap_or_default()).any(|token| token.eq_ignore_ascii_case("websocket"))
}

fn agreement(answer: &http::Answer) -> Agreement {
    let fields = &answer.websocket;
    Agreement::of_answer(fields.subprotocols.as_deref(), fields.extensions.as_deref())
}

/// A request to a Remote Desktop Gateway (MS-TSGU): over HTTP or a WebSocket, or over RPC to the gateway's port 3388.
/// RPC over HTTP to other ports is a mail server.
fn gateway(http: &Http) -> Option<(&'static str, Vec<(&'static str, String)>)> {
    let (path, query) = http.uri.split_once('?').unwrap_or((&http.uri, ""));
    let begins = |start: &str| {
        path.get(..start.len())
            .is_some_and(|path| path.eq_ignore_ascii_case(start))
    };
    let carrier = match http.method.as_str() {
        "RDG_IN_DATA" | "RDG_OUT_DATA" => "http",
        "RPC_IN_DATA" | "RPC_OUT_DATA"
            if begins("/rpc/rpcproxy.dll") && query.ends_with(":3388") =>
        {
            "rpc"
        }
        "GET" if begins("/remoteDesktopGateway") && http.upgrade.is_some() => "websocket",
        _ => return None,
    };
    Some(("rd_gateway", vec![("carrier", carrier.to_owned())]))
}
