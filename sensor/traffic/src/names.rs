//! Host names, and how often each is asked for.

use std::collections::BTreeSet;

use crate::chance::Chance;

/// Names in the order of their popularity; the k-th is asked for 1/k as often as the first (Zipf's law).
#[derive(Debug)]
pub(crate) struct Names {
    names: Vec<String>,
    /// Sums of the weights up to each.
    up_to: Vec<u64>,
}

impl Names {
    pub(crate) fn new(chance: &mut Chance, count: usize) -> Self {
        let mut names: Vec<String> = POPULAR.map(ToOwned::to_owned).into();
        let mut seen: BTreeSet<String> = names.iter().cloned().collect();
        while names.len() < count {
            let name = made_up(chance);
            if seen.insert(name.clone()) {
                names.push(name);
            }
        }
        names.truncate(count);
        let mut sum = 0;
        let up_to = (1..=names.len() as u64)
            .map(|rank| {
                sum += 1_000_000_000 / rank;
                sum
            })
            .collect();
        Self { names, up_to }
    }

    /// The number of one of them, by its popularity.
    pub(crate) fn draw(&self, chance: &mut Chance) -> usize {
        let all = self.up_to.last().copied().unwrap_or(1);
        let drawn = chance.next() % all;
        self.up_to.partition_point(|&sum| sum <= drawn)
    }

    pub(crate) fn name(&self, number: usize) -> &str {
        &self.names[number]
    }
}

fn made_up(chance: &mut Chance) -> String {
    let number = if chance.permille(300) {
        (1 + chance.below(30)).to_string()
    } else {
        String::new()
    };
    let middle: String = (0..2 + chance.below(3))
        .map(|_| *chance.pick(&SYLLABLES))
        .collect();
    format!(
        "{}{number}.{middle}.{}",
        chance.pick(&SERVICES),
        chance.pick(&ENDINGS)
    )
}

const POPULAR: [&str; 16] = [
    "www.google.com",
    "outlook.office365.com",
    "login.microsoftonline.com",
    "www.youtube.com",
    "fonts.gstatic.com",
    "api.github.com",
    "slack.com",
    "cdn.jsdelivr.net",
    "s3.amazonaws.com",
    "graph.microsoft.com",
    "update.googleapis.com",
    "ocsp.digicert.com",
    "registry.npmjs.org",
    "www.wikipedia.org",
    "deb.debian.org",
    "ctldl.windowsupdate.com",
];

/// Names that a tool for remote control or a tunnel calls: each stands in a few flows of a mix.
pub(crate) const OF_TOOLS: [&str; 8] = [
    "router7.teamviewer.com",
    "relay-0f1e2d3c.net.anydesk.com",
    "rustdesk.com",
    "instance-a9b8c7-relay.screenconnect.com",
    "remotedesktop-pa.googleapis.com",
    "controlplane.tailscale.com",
    "region2.v2.argotunnel.com",
    "tunnel.eu.ngrok.com",
];

const SYLLABLES: [&str; 24] = [
    "al", "bo", "cer", "dan", "el", "fin", "gor", "hal", "in", "jo", "kem", "lus", "mir", "nor",
    "os", "pel", "quin", "ras", "sol", "tor", "um", "vel", "wes", "zen",
];
const SERVICES: [&str; 12] = [
    "www", "api", "cdn", "img", "login", "mail", "app", "edge", "static", "media", "shop", "m",
];
const ENDINGS: [&str; 10] = [
    "com", "com", "com", "net", "org", "io", "de", "co.uk", "fr", "eu",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_is_asked_for_most_and_none_is_there_twice() {
        let mut chance = Chance::new(1);
        let names = Names::new(&mut chance, 500);
        let different: BTreeSet<&str> = (0..500).map(|number| names.name(number)).collect();
        assert_eq!(different.len(), 500);
        let mut drawn = [0; 500];
        for _ in 0..20_000 {
            drawn[names.draw(&mut chance)] += 1;
        }
        assert!(drawn[0] > drawn[3] && drawn[3] > drawn[60], "{drawn:?}");
        assert!(drawn[499] < 40);
    }
}
