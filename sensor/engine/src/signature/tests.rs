//! The built-in files, and what is said of files that are wrong.

use super::*;

/// A file that is right, named `tunnel/example.toml`.
const RIGHT: &str = r#"id = "example"
title = "Example"
class = "tunnel"
attack = ["T1572"]
added = 2026-11-24
checked = 2026-11-24
why = "Because."
looks_like = "Nothing."
guidance = ["Ask."]
references = ["https://example.com"]

[[match]]
kind = "suffix"
value = "agents.example.com"
role = "control"
direction = "outbound"
confidence = "high"

[test]
hits = [{ role = "control", name = "eu.agents.example.com" }]
misses = ["notagents.example.com"]
"#;

fn parse(text: &str) -> Result<Signatures, SignatureError> {
    Signatures::parse(&[("tunnel/example.toml".to_owned(), text.to_owned())])
}

/// Path and text of every built-in file, by path.
fn built_in_files() -> Vec<(String, String)> {
    built_in::FILES
        .iter()
        .map(|file| (file.path.to_owned(), file.text.to_owned()))
        .collect()
}

/// `RIGHT` with one change is refused with this message.
fn check(from: &str, to: &str, expected: &str) {
    assert!(RIGHT.contains(from), "{from}");
    let error = parse(&RIGHT.replacen(from, to, 1)).expect_err(expected);
    assert_eq!(
        error.to_string(),
        format!("cannot read signature file tunnel/example.toml, {expected}")
    );
}

#[test]
fn every_hit_and_miss_of_the_built_in_files_holds() {
    let set = Signatures::parse(&built_in_files());
    let set = set.unwrap_or_else(|error| panic!("{error}"));
    let ids: Vec<_> = set.tools().iter().map(Tool::detection).collect();
    for id in [
        "ngrok",
        "cloudflared",
        "localtunnel",
        "bore",
        "devtunnels",
        "pagekite",
    ] {
        assert!(ids.contains(&format!("tunnel.{id}")), "{id}");
    }
}

/// What the build script has made of the files is what the reader makes of them.
#[test]
fn the_built_in_set_says_what_the_files_say() {
    let read = Signatures::parse(&built_in_files()).unwrap();
    let built_in = Signatures::built_in();
    assert_eq!(built_in.sha256(), read.sha256());
    assert_eq!(built_in.tools().len(), read.tools().len());
    for (built_in, read) in built_in.tools().iter().zip(read.tools()) {
        let mut read = read.clone();
        read.test = Tests::default();
        read.entries.iter_mut().for_each(|entry| entry.offset = 0);
        assert_eq!(*built_in, read);
    }
}

/// Each entry is shown by a hit: one that no example needs would rot unseen.
#[test]
fn every_entry_of_the_built_in_files_is_needed_by_a_hit() {
    for (path, text) in built_in_files() {
        let tool = file::read(&path, &text).unwrap();
        for left_out in 0..tool.entries.len() {
            let mut less = tool.clone();
            let entry = less.entries.remove(left_out);
            // A port never hits; some suffixes cover what a name says too, with the same role.
            let covered = less.entries.iter().any(|other| {
                other.kind == Kind::Suffix
                    && other.role == entry.role
                    && entry.value.ends_with(&other.value)
            });
            if entry.kind == Kind::Port || covered {
                continue;
            }
            let result = Signatures::compile(vec![less], 0..1);
            assert!(result.is_err(), "{path}: no hit needs `{}`", entry.value);
        }
    }
}

#[test]
fn the_most_spelled_out_entry_wins() {
    let set = Signatures::built_in();
    let role = |name| set.by_name(name, SeenIn::Dns).map(|hit| hit.entry.role);
    assert_eq!(role("update.ngrok-agent.com"), Some(Role::Download));
    assert_eq!(role("crl.ngrok-agent.com"), Some(Role::Registration));
    assert_eq!(role("x.ngrok-agent.com"), Some(Role::Control));
    assert_eq!(role("api.trycloudflare.com"), Some(Role::Registration));
    assert_eq!(role("www.trycloudflare.com"), Some(Role::Endpoint));
    assert_eq!(role("example.com"), None);
}

#[test]
fn a_name_counts_only_where_it_may_be_seen() {
    let set = Signatures::built_in();
    assert!(set.by_name("ping.pagekite", SeenIn::HttpHost).is_some());
    assert!(set.by_name("ping.pagekite", SeenIn::Dns).is_none());
    let bore = |seen_in| set.by_name("bore.pub", seen_in).map(|hit| hit.entry.role);
    assert_eq!(bore(SeenIn::Dns), Some(Role::Control));
    assert_eq!(bore(SeenIn::Sni), Some(Role::Endpoint));
}

#[test]
fn the_more_telling_part_of_a_request_wins() {
    let set = Signatures::built_in();
    let hit = set.by_http(&Request {
        method: "POST",
        uri: "/~:PageKite:~/v0.8",
        host: Some("kite.pagekite.me"),
        ..Request::default()
    });
    assert_eq!(hit.map(|hit| hit.entry.role), Some(Role::Control));
    let hit = set.by_http(&Request {
        method: "GET",
        uri: "http://a:b@x.ngrok.io:80?c",
        ..Request::default()
    });
    assert_eq!(hit.map(|hit| hit.entry.role), Some(Role::Endpoint));
    let hit = set.by_http(&Request {
        method: "GET",
        uri: "/",
        host: Some("[2001:db8::1]:80"),
        user_agent: Some("curl/8"),
        ..Request::default()
    });
    assert_eq!(hit, None);
}

#[test]
fn a_port_only_supports() {
    let set = Signatures::built_in();
    let tool = set
        .tools()
        .iter()
        .find(|tool| tool.id == "cloudflared")
        .unwrap();
    assert!(tool.uses_port("udp", 7844));
    assert!(!tool.uses_port("udp", 443));
}

#[test]
fn user_agents_and_subjects_are_matched() {
    let more = r#"
[[match]]
kind = "user_agent"
value = "example-agent/*"
role = "registration"
direction = "outbound"
confidence = "low"

[[match]]
kind = "cert_subject"
value = "CN=agents"
role = "relay"
direction = "any"
confidence = "low"

[test]
hits = [
    { role = "registration", http = "GET /", user_agent = "example-agent/1.0" },
    { role = "relay", cert_subject = "O=Example,CN=agents" },"#;
    let text = RIGHT
        .replace("[test]", more)
        .replace("hits = [{ role = \"control\"", "{ role = \"control\"")
        .replace("com\" }]\nmisses", "com\" },\n]\nmisses");
    parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
}

#[test]
fn says_where_a_file_is_wrong_and_what_to_do() {
    let see = "; the keys and their values are in signatures/README.md";
    check(
        "title = \"Example\"",
        "titel = \"Example\"",
        &format!(
            "line 2, column 1: unknown field `titel`, expected one of `id`, `title`, `class`, `severity`, `attack`, `added`, `checked`, `why`, `looks_like`, `guidance`, `references`, `match`, `test`{see}"
        ),
    );
    check(
        "role = \"control\"\n",
        "rule = \"control\"\n",
        &format!(
            "line 15, column 1: unknown field `rule`, expected one of `kind`, `value`, `seen_in`, `role`, `direction`, `confidence`{see}"
        ),
    );
    check(
        "why = \"Because.\"\n",
        "",
        &format!("line 1, column 1: missing field `why`{see}"),
    );
    check(
        "confidence = \"high\"\n",
        "",
        &format!("line 12, column 1: missing field `confidence`{see}"),
    );
    check(
        "role = \"control\"\n",
        "role = \"agent\"\n",
        &format!(
            "line 15, column 8: unknown variant `agent`, expected one of `control`, `registration`, `relay`, `endpoint`, `download`, `website`, `shared`{see}"
        ),
    );
    check(
        "kind = \"suffix\"",
        "kind = \"ssh_key\"",
        &format!(
            "line 13, column 8: unknown variant `ssh_key`, expected one of `name`, `suffix`, `alpn`, `cert_subject`, `cert_issuer`, `http_path`, `user_agent`, `http_upgrade`, `websocket_protocol`, `ssh_banner`, `protocol`, `octets`, `port`{see}"
        ),
    );
    check(
        "class = \"tunnel\"",
        "class = \"tunnel",
        &format!("line 3, column 16: invalid basic string, expected `\"`{see}"),
    );
    check(
        "title = \"Example\"",
        "title = 5",
        &format!("line 2, column 9: invalid type: integer `5`, expected a string{see}"),
    );
}

#[test]
fn says_which_rule_a_file_breaks() {
    check(
        "id = \"example\"",
        "id = \"other\"",
        "line 1, column 6: the id is `other` but the file is `example.toml`: give both the same name",
    );
    check(
        "id = \"example\"",
        "id = \"Ex-ample\"",
        "line 1, column 6: the id `Ex-ample` is not made of a-z, 0-9 and _: spell it as detections are spelled",
    );
    check(
        "class = \"tunnel\"",
        "class = \"vpn\"",
        "line 3, column 9: the class is `vpn` but the folder is `tunnel`: move the file or change the class",
    );
    check(
        "T1572",
        "1572",
        "line 4, column 11: `1572` is no ATT&CK technique: write it as T1572 or T1021.005",
    );
    check(
        "added = 2026-11-24",
        "added = 2026-11-24T10:00:00Z",
        "line 5, column 9: `added` is not a day: write it as 2026-11-24, without quotes or time",
    );
    check(
        "\"Because.\"",
        "\" \"",
        "line 7, column 7: `why` is empty: fill it",
    );
    check(
        "[\"Ask.\"]",
        "[]",
        "line 9, column 12: `guidance` is empty: fill it",
    );
    check(
        "[{ role = \"control\", name = \"eu.agents.example.com\" }]",
        "[]",
        "line 20, column 8: `hits` is empty: give at least one example",
    );
    check(
        "[\"notagents.example.com\"]",
        "[]",
        "line 21, column 10: `misses` is empty: give at least one example",
    );
    check(
        "name = \"eu.agents.example.com\"",
        "host = \"eu.agents.example.com\"",
        "line 20, column 9: an example has one of `name`, `octets`, `http`, `alpn`, or `cert_subject` and `cert_issuer`; `seen_in` goes with `name`, `host` and `user_agent` with `http`",
    );
    check(
        "kind = \"suffix\"\nvalue = \"agents.example.com\"",
        "kind = \"port\"\nvalue = \"443/tcp\"",
        "line 12, column 1: nothing here can hit: add a [[match]] that is not a port",
    );
    check(
        "kind = \"suffix\"\nvalue = \"agents.example.com\"",
        "kind = \"alpn\"\nvalue = \"x\"\nseen_in = [\"sni\"]",
        "line 15, column 11: `seen_in` is only for the kinds `name` and `suffix`: remove it, or list at least one place",
    );
}

#[test]
fn says_which_value_its_kind_does_not_allow() {
    let value = |kind: &str, value: &str, why: &str| {
        check(
            "kind = \"suffix\"\nvalue = \"agents.example.com\"",
            &format!("kind = \"{kind}\"\nvalue = '{value}'"),
            &format!("line 14, column 9: `{value}` is no value of this kind: {why}"),
        );
    };
    value("suffix", "com", "at least two labels must be spelled out");
    value(
        "suffix",
        "*.example.com",
        "a suffix covers all below it, without `*`",
    );
    value(
        "suffix",
        ".example.com",
        "write it without a dot at its ends and without empty labels",
    );
    value(
        "suffix",
        "example.com.",
        "write it without a dot at its ends and without empty labels",
    );
    value(
        "name",
        "https://example.com",
        "a name has letters, digits, `-`, `_` and `.` (other scripts as xn--...)",
    );
    value("name", "*.com", "at least two labels must be spelled out");
    value("name", "a.**.example.com", "one `*` at most in a label");
    value("name", "example.*", "the last label cannot have a `*`");
    value(
        "octets",
        "abc",
        "at least four octets must be spelled out, or it hits everywhere",
    );
    value(
        "octets",
        "abcd|00",
        "a bar `|` without its second one; the bar itself is |7c|",
    );
    value(
        "octets",
        "abcd|0|",
        "between bars stand pairs of hexadecimal digits, `??`, `digits` or `uuid`, with blanks between",
    );
    value(
        "http_path",
        "api/x",
        "a path begins with `/`, or a method and a blank stand before it",
    );
    value(
        "http_path",
        "/api?x=y",
        "write the path alone, without query or blank",
    );
    value("http_path", "/a*b", "only one `*`, at the end");
    value(
        "user_agent",
        "Go*",
        "at least four characters must be spelled out",
    );
    value(
        "user_agent",
        "Go",
        "at least three characters must be spelled out",
    );
    value(
        "cert_issuer",
        "Example Inc",
        "write one attribute, such as O=Example Inc",
    );
    value("port", "443", "write a port as 7844/tcp or 7844/udp");
}

#[test]
fn says_which_example_fails() {
    check(
        "name = \"eu.agents.example.com\"",
        "name = \"eu.example.com\"",
        "line 20, column 9: the name `eu.example.com` must hit with role control, but hits nothing: correct the example or the entry",
    );
    check(
        "hits = [{ role = \"control\"",
        "hits = [{ role = \"endpoint\"",
        "line 20, column 9: the name `eu.agents.example.com` must hit with role endpoint, but hits tunnel.example with role control: correct the example or the entry",
    );
    check(
        "misses = [\"not",
        "misses = [\"not.",
        "line 21, column 11: the name `not.agents.example.com` must not hit, but the entry `agents.example.com` takes it: correct the example or the entry",
    );
}

fn named(id: &str, text: &str) -> (String, String) {
    let text = text.replace("id = \"example\"", &format!("id = \"{id}\""));
    (format!("tunnel/{id}.toml"), text)
}

#[test]
fn refuses_two_entries_for_the_same_thing() {
    let error = Signatures::parse(&[named("a", RIGHT), named("b", RIGHT)]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot read signature file tunnel/b.toml, line 14, column 9: `agents.example.com` is claimed by tunnel/a.toml too: only one entry can win, remove one"
    );
    let name = RIGHT
        .replace("kind = \"suffix\"", "kind = \"name\"")
        .replace("eu.agents", "agents");
    assert!(Signatures::parse(&[named("a", RIGHT), named("b", &name)]).is_err());
    let error = Signatures::parse(&[named("a", RIGHT), named("a", RIGHT)]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot read signature file tunnel/a.toml, line 1, column 1: `tunnel.a` is in tunnel/a.toml too: merge the files"
    );
}

#[test]
fn an_overlay_replaces_a_tool_as_a_whole() {
    let zone = |text: &str, zone: &str| text.replace("agents.example.com", zone);
    let base = [named("a", RIGHT), named("b", &zone(RIGHT, "b.example.com"))];
    let base = || Signatures::parse(&base).unwrap();
    let over = Signatures::parse(&[named("a", &zone(RIGHT, "new.example.com"))]).unwrap();
    let both = base().overlay(over).unwrap();
    let ids: Vec<_> = both.tools().iter().map(|tool| tool.id.as_str()).collect();
    assert_eq!(ids, ["b", "a"]);
    let hits = |name| both.by_name(name, SeenIn::Sni).is_some();
    assert!(hits("x.new.example.com") && hits("x.b.example.com"));
    assert!(!hits("x.agents.example.com"));

    let thief = Signatures::parse(&[named("c", RIGHT)]).unwrap();
    assert!(matches!(
        base().overlay(thief).unwrap_err().problem,
        Problem::Claimed { .. }
    ));
}

#[test]
fn upgrades_subprotocols_banners_and_protocols_are_matched() {
    let entries = r#"
[[match]]
kind = "http_upgrade"
value = "example-control"
role = "control"
direction = "outbound"
confidence = "high"

[[match]]
kind = "websocket_protocol"
value = "example-v*"
role = "control"
direction = "outbound"
confidence = "high"

[[match]]
kind = "ssh_banner"
value = "SSH-2.0-example_*"
role = "control"
direction = "outbound"
confidence = "high"

[[match]]
kind = "protocol"
value = "example_wire"
role = "control"
direction = "outbound"
confidence = "high"

[[match]]
kind = "alpn"
value = "example/*"
role = "control"
direction = "outbound"
confidence = "high"

[test]
hits = [
    { role = "control", name = "eu.agents.example.com" },
    { role = "control", http = "GET /x", upgrade = "h2c, Example-Control" },
    { role = "control", websocket_protocol = "example-v3" },
    { role = "control", ssh_banner = "SSH-2.0-example_1" },
    { role = "control", protocol = "example_wire" },
    { role = "control", alpn = "example/6.2.0/linux" },
]
misses = ["notagents.example.com"]
misses_upgrade = ["example", "websocket"]
misses_websocket_protocol = ["sample-v3"]
misses_ssh_banner = ["SSH-2.0-OpenSSH_9.2"]
misses_alpn = ["example", "h2"]
"#;
    let start = RIGHT.split("\n[test]").next().unwrap();
    parse(&format!("{start}\n{entries}")).unwrap();
    let wrong = entries.replace("SSH-2.0-example_*", "example_*");
    let refused = parse(&format!("{start}\n{wrong}")).unwrap_err();
    assert!(refused.to_string().contains("a banner begins"), "{refused}");
}

#[test]
fn the_class_says_how_bad_an_agent_is_unless_the_file_does() {
    let severity = |text: &str| parse(text).unwrap().tools()[0].severity();
    assert_eq!(severity(RIGHT), Severity::High);
    let own = RIGHT.replace(
        "class = \"tunnel\"",
        "class = \"tunnel\"\nseverity = \"low\"",
    );
    assert_eq!(severity(&own), Severity::Low);
}
