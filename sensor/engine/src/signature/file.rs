//! Reads one signature file: the schema, and the rules that the schema alone cannot say.

use serde::Deserialize;
use toml::Spanned;
use toml::value::Datetime;

use super::error::{Problem, SignatureError, Source};
use super::pattern::{self, Octets};
use super::tool::{
    Class, Confidence, Direction, Entry, Example, ExampleOf, HttpExample, Kind, Misses, Role,
    SeenIn, Severity, Tests, Tool,
};

/// Reads a file. Claims against other files and the examples are looked at when the set is compiled.
pub(super) fn read(path: &str, text: &str) -> Result<Tool, SignatureError> {
    let source = Source::new(path, text.to_owned());
    let file: File = toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        source.error(start, Problem::Toml(error.message().to_owned()))
    })?;
    let reader = Reader { source };
    reader.tool(file)
}

/// The file as it is written. What is missing, unknown or of another type is refused by the TOML parser.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    id: Spanned<String>,
    title: Spanned<String>,
    class: Spanned<Class>,
    severity: Option<Severity>,
    attack: Spanned<Vec<Spanned<String>>>,
    added: Spanned<Datetime>,
    checked: Spanned<Datetime>,
    why: Spanned<String>,
    looks_like: Spanned<String>,
    guidance: Spanned<Vec<Spanned<String>>>,
    references: Spanned<Vec<Spanned<String>>>,
    r#match: Spanned<Vec<Match>>,
    test: Test,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Match {
    kind: Kind,
    value: Spanned<String>,
    seen_in: Option<Spanned<Vec<SeenIn>>>,
    role: Role,
    direction: Direction,
    confidence: Confidence,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Test {
    hits: Spanned<Vec<Spanned<Hit>>>,
    misses: Spanned<Vec<Spanned<String>>>,
    #[serde(default)]
    misses_octets: Vec<Spanned<String>>,
    #[serde(default)]
    misses_http: Vec<Spanned<String>>,
    #[serde(default)]
    misses_alpn: Vec<Spanned<String>>,
    #[serde(default)]
    misses_certificate: Vec<Spanned<String>>,
    #[serde(default)]
    misses_websocket_protocol: Vec<Spanned<String>>,
    #[serde(default)]
    misses_ssh_banner: Vec<Spanned<String>>,
    #[serde(default)]
    misses_upgrade: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hit {
    role: Role,
    name: Option<String>,
    seen_in: Option<SeenIn>,
    octets: Option<String>,
    http: Option<String>,
    host: Option<String>,
    user_agent: Option<String>,
    upgrade: Option<String>,
    websocket_protocol: Option<String>,
    ssh_banner: Option<String>,
    protocol: Option<String>,
    alpn: Option<String>,
    cert_subject: Option<String>,
    cert_issuer: Option<String>,
}

struct Reader {
    source: Source,
}

impl Reader {
    fn tool(self, file: File) -> Result<Tool, SignatureError> {
        self.place(&file.id, &file.class)?;
        for technique in file.attack.as_ref() {
            if !is_technique(technique.as_ref()) {
                let problem = Problem::BadTechnique(technique.as_ref().clone());
                return Err(self.error(technique, problem));
            }
        }
        let entries = file.r#match.as_ref().iter();
        let entries = entries
            .map(|entry| self.entry(entry))
            .collect::<Result<Vec<_>, _>>()?;
        if entries.iter().all(|entry| entry.kind == Kind::Port) {
            return Err(self.error(&file.r#match, Problem::NothingHits));
        }
        let test = self.tests(file.test)?;
        Ok(Tool {
            id: file.id.into_inner(),
            title: self.text("title", file.title)?,
            class: file.class.into_inner(),
            severity: file.severity,
            attack: self.texts("attack", file.attack)?,
            added: self.day("added", &file.added)?,
            checked: self.day("checked", &file.checked)?,
            why: self.text("why", file.why)?,
            looks_like: self.text("looks_like", file.looks_like)?,
            guidance: self.texts("guidance", file.guidance)?,
            references: self.texts("references", file.references)?,
            entries,
            test,
            source: self.source,
        })
    }

    /// The id is the file's name, the class that of its folder, so that a detection leads to its file.
    fn place(&self, id: &Spanned<String>, class: &Spanned<Class>) -> Result<(), SignatureError> {
        let fits =
            |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'_';
        let name = id.as_ref();
        if name.is_empty() || !name.bytes().all(fits) {
            return Err(self.error(id, Problem::BadId(name.clone())));
        }
        let mut parts = self.source.path.rsplit(['/', '\\']);
        let file = parts.next().unwrap_or_default();
        if file.strip_suffix(".toml") != Some(name) {
            let problem = Problem::IdIsNotFileName {
                id: name.clone(),
                file: file.to_owned(),
            };
            return Err(self.error(id, problem));
        }
        // A folder of an operator may be called as he likes, but not as another class.
        let folder = parts.next().unwrap_or_default();
        let is_class = Class::ALL.iter().any(|class| class.name() == folder);
        let class_name = class.as_ref().name();
        if is_class && folder != class_name {
            let problem = Problem::WrongFolder {
                class: class_name,
                folder: folder.to_owned(),
            };
            return Err(self.error(class, problem));
        }
        Ok(())
    }

    fn entry(&self, entry: &Match) -> Result<Entry, SignatureError> {
        let value = entry.value.as_ref();
        pattern::check(entry.kind, value)
            .map_err(|why| self.bad_value(&entry.value, value, why))?;
        let is_name = matches!(entry.kind, Kind::Name | Kind::Suffix);
        let seen_in = match &entry.seen_in {
            Some(places) if is_name && !places.as_ref().is_empty() => places.as_ref().clone(),
            Some(places) => return Err(self.error(places, Problem::SeenIn)),
            None => SeenIn::ALL.to_vec(),
        };
        Ok(Entry {
            kind: entry.kind,
            value: value.clone(),
            seen_in,
            role: entry.role,
            direction: entry.direction,
            confidence: entry.confidence,
            offset: entry.value.span().start,
        })
    }

    fn tests(&self, test: Test) -> Result<Tests, SignatureError> {
        if test.hits.as_ref().is_empty() {
            return Err(self.error(&test.hits, Problem::NoExamples("hits")));
        }
        if test.misses.as_ref().is_empty() {
            return Err(self.error(&test.misses, Problem::NoExamples("misses")));
        }
        let hits = test.hits.into_inner().into_iter();
        let hits = hits.map(|hit| self.hit(hit)).collect::<Result<_, _>>()?;
        let mut all = Vec::new();
        let mut add = |misses: Vec<Spanned<String>>, of: &dyn Fn(String) -> ExampleOf| {
            all.extend(misses.into_iter().map(|miss| {
                let offset = miss.span().start;
                (of(miss.into_inner()), offset)
            }));
        };
        add(test.misses.into_inner(), &|name| {
            ExampleOf::Name(name, None)
        });
        add(test.misses_http, &|request| {
            ExampleOf::Http(HttpExample {
                request,
                ..HttpExample::default()
            })
        });
        add(test.misses_alpn, &ExampleOf::Alpn);
        add(test.misses_ssh_banner, &ExampleOf::SshBanner);
        add(
            test.misses_websocket_protocol,
            &ExampleOf::WebsocketProtocol,
        );
        add(test.misses_upgrade, &|upgrade| {
            ExampleOf::Http(HttpExample {
                request: "GET /".to_owned(),
                upgrade: Some(upgrade),
                ..HttpExample::default()
            })
        });
        add(test.misses_certificate, &|name| {
            ExampleOf::Certificate(name.clone(), name)
        });
        for miss in test.misses_octets {
            let octets = self.octets(&miss, miss.as_ref())?;
            all.push((ExampleOf::Octets(octets), miss.span().start));
        }
        Ok(Tests {
            hits,
            misses: Misses { all },
        })
    }

    fn hit(&self, hit: Spanned<Hit>) -> Result<Example, SignatureError> {
        let offset = hit.span().start;
        let mut probes = Vec::new();
        let parts = hit.as_ref();
        if let Some(name) = &parts.name {
            probes.push(ExampleOf::Name(name.clone(), parts.seen_in));
        }
        if let Some(octets) = &parts.octets {
            probes.push(ExampleOf::Octets(self.octets(&hit, octets)?));
        }
        if let Some(request) = &parts.http {
            probes.push(ExampleOf::Http(HttpExample {
                request: request.clone(),
                host: parts.host.clone(),
                user_agent: parts.user_agent.clone(),
                upgrade: parts.upgrade.clone(),
            }));
        }
        if let Some(name) = &parts.websocket_protocol {
            probes.push(ExampleOf::WebsocketProtocol(name.clone()));
        }
        if let Some(banner) = &parts.ssh_banner {
            probes.push(ExampleOf::SshBanner(banner.clone()));
        }
        if let Some(name) = &parts.protocol {
            probes.push(ExampleOf::Protocol(name.clone()));
        }
        if let Some(alpn) = &parts.alpn {
            probes.push(ExampleOf::Alpn(alpn.clone()));
        }
        if parts.cert_subject.is_some() || parts.cert_issuer.is_some() {
            let text = |part: &Option<String>| part.clone().unwrap_or_default();
            let (subject, issuer) = (text(&parts.cert_subject), text(&parts.cert_issuer));
            probes.push(ExampleOf::Certificate(subject, issuer));
        }
        let of_http = [&parts.host, &parts.user_agent, &parts.upgrade];
        let stray = parts.seen_in.is_some() && parts.name.is_none()
            || of_http.iter().any(|part| part.is_some()) && parts.http.is_none();
        match (probes.pop(), probes.is_empty() && !stray) {
            (Some(of), true) => Ok(Example {
                role: parts.role,
                of,
                offset,
            }),
            _ => Err(self.error(&hit, Problem::BadExample)),
        }
    }

    fn octets<T>(&self, at: &Spanned<T>, value: &str) -> Result<Vec<u8>, SignatureError> {
        Octets::literal(value).map_err(|why| self.bad_value(at, value, why))
    }

    fn text(&self, key: &'static str, text: Spanned<String>) -> Result<String, SignatureError> {
        if text.as_ref().trim().is_empty() {
            return Err(self.error(&text, Problem::Empty(key)));
        }
        Ok(text.into_inner())
    }

    fn texts(
        &self,
        key: &'static str,
        texts: Spanned<Vec<Spanned<String>>>,
    ) -> Result<Vec<String>, SignatureError> {
        if texts.as_ref().is_empty() {
            return Err(self.error(&texts, Problem::Empty(key)));
        }
        let texts = texts.into_inner().into_iter();
        texts.map(|text| self.text(key, text)).collect()
    }

    fn day(&self, key: &'static str, day: &Spanned<Datetime>) -> Result<String, SignatureError> {
        match day.as_ref() {
            Datetime {
                date: Some(date),
                time: None,
                offset: None,
            } => Ok(date.to_string()),
            _ => Err(self.error(day, Problem::NotADay(key))),
        }
    }

    fn bad_value<T>(&self, at: &Spanned<T>, value: &str, why: &'static str) -> SignatureError {
        let value = value.to_owned();
        self.error(at, Problem::BadValue { value, why })
    }

    fn error<T>(&self, at: &Spanned<T>, problem: Problem) -> SignatureError {
        self.source.error(at.span().start, problem)
    }
}

/// `T1572`, `T1021.005`.
fn is_technique(text: &str) -> bool {
    let digits =
        |text: &str, count| text.len() == count && text.bytes().all(|digit| digit.is_ascii_digit());
    let Some(number) = text.strip_prefix('T') else {
        return false;
    };
    match number.split_once('.') {
        Some((number, part)) => digits(number, 4) && digits(part, 3),
        None => digits(number, 4),
    }
}
