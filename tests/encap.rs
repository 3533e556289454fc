//! Each encapsulation of `pcaps/encap`: met in the packets that have it, and the one session inside found.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::{assert_none, manifest, of_kind, run};

#[test]
fn each_encapsulation_is_met_and_what_it_carries_is_found() {
    let mut wrong = Vec::new();
    for row in manifest::captures() {
        if row.folder() != "encap" {
            continue;
        }
        let path = row.path();
        let name = Path::new(&path).file_stem().and_then(|name| name.to_str());
        let Some((_, want, flows)) = CAPTURES.iter().find(|(it, ..)| Some(*it) == name) else {
            wrong.push(format!("{path}: add it to the list below"));
            continue;
        };
        let emit = "observation,flow,stats";
        let records = run(["read", "--json", "--emit", emit, &path]).records();
        let stats = of_kind(records.clone(), "stats").remove(0);
        let met: BTreeSet<&str> = stats["encapsulations"]
            .as_object()
            .expect("an object")
            .keys()
            .map(String::as_str)
            .collect();
        if met != want.iter().copied().collect() {
            wrong.push(format!("{path}: met {met:?}"));
        }
        if stats["decode_errors"]
            .as_object()
            .is_some_and(|it| !it.is_empty())
        {
            wrong.push(format!("{path}: {}", stats["decode_errors"]));
        }
        let inside = records
            .iter()
            .filter(|record| matches!(record["protocol"].as_str(), Some("tls" | "rfb")));
        if inside.count() != 1 || of_kind(records.clone(), "flow").len() != *flows {
            wrong.push(format!("{path}: not one session in {flows} flows"));
        }
    }
    assert_none(&wrong);
}

/// File, encapsulations, flows: the session, the tunnel of a machine around it, other packets of a tunnel.
const CAPTURES: &[(&str, &[&str], usize)] = &[
    ("4in4", &["4in4"], 1),
    ("4in6", &["4in6"], 1),
    ("6in4", &["6in4"], 1),
    ("6in6", &["6in6"], 1),
    ("ah", &["ah"], 1),
    ("capwap", &["capwap", "llc", "wlan"], 1),
    ("cisco-hdlc", &["hdlc"], 1),
    ("copies", &["vlan", "vxlan"], 1),
    ("erspan-1", &["erspan", "gre"], 1),
    ("erspan-2", &["erspan", "gre"], 1),
    ("erspan-3", &["erspan", "gre"], 1),
    ("etherip", &["etherip"], 1),
    ("geneve", &["geneve"], 1),
    ("gre-fragments", &["gre"], 1),
    ("gre-in-udp", &["gre"], 1),
    ("gre-vnc", &["gre"], 1),
    ("gtp", &["gtp"], 1),
    ("l2tp", &["l2tp", "ppp"], 2),
    ("llc-snap", &["llc"], 1),
    ("mpls", &["mpls"], 1),
    ("mpls-pseudowire", &["mpls"], 1),
    ("nvgre", &["gre", "nvgre"], 1),
    ("ppp", &["ppp"], 1),
    ("pppoe-in-vlan", &["ppp", "pppoe", "vlan"], 1),
    ("pptp", &["gre", "ppp"], 2),
    ("qinq", &["qinq", "vlan"], 1),
    ("radiotap", &["llc", "wlan"], 1),
    ("teredo", &["teredo"], 2),
    ("three-deep", &["erspan", "gre", "vlan", "vxlan"], 1),
    ("vlan-by-direction", &["vlan"], 1),
    ("vxlan", &["vxlan"], 3),
    ("vxlan-ipv6", &["vlan", "vxlan"], 1),
];
