//! Every record keeps to `deploy/schema/record.schema.json`, and the schema refuses what is no record.

use std::collections::BTreeSet;
use std::fs;

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::support::{assert_none, root, run};

#[test]
fn every_record_of_every_capture_keeps_to_the_schema() {
    let validator = validator();
    let emit = "alert,observation,flow,stats";
    let records = run(["read", "--json", "--emit", emit, "pcaps"]).records();
    let mut kinds = BTreeSet::new();
    let mut wrong = BTreeSet::new();
    for record in &records {
        kinds.insert(record["kind"].to_string());
        for error in validator.iter_errors(record) {
            wrong.insert(format!(
                "{} at {}: {error}",
                record["kind"],
                error.instance_path()
            ));
        }
    }
    assert_eq!(kinds.len(), 4, "a kind was never written: {kinds:?}");
    assert_none(&Vec::from_iter(wrong));
}

#[test]
fn what_the_doctor_says_keeps_to_the_schema() {
    let validator = validator();
    let records = run(["doctor", "--json", "pcaps/vnc", "pcaps/hosts"]).records();
    assert_eq!(records.len(), 1);
    assert!(validator.is_valid(&records[0]), "{}", records[0]);
    for field in strings(&schema()["$defs"]["doctor"]["required"]) {
        let mut record = records[0].clone();
        record.as_object_mut().map(|fields| fields.remove(&field));
        assert!(!validator.is_valid(&record), "without {field} it is taken");
    }
}

#[test]
fn every_protocol_of_the_schema_is_in_some_capture() {
    // Else its body would be described and never compared.
    let shown: BTreeSet<String> = run(["read", "--json", "--emit", "observation", "pcaps"])
        .records()
        .iter()
        .filter_map(|record| record["protocol"].as_str().map(str::to_owned))
        .collect();
    let schema = schema();
    let rules = schema["$defs"]["observation"]["allOf"].as_array();
    let described: BTreeSet<String> = rules
        .expect("a rule for each protocol with a described body")
        .iter()
        .flat_map(|rule| strings(&rule["if"]["properties"]["protocol"]["enum"]))
        .collect();
    let missing: Vec<_> = described
        .difference(&shown)
        .filter(|protocol| !WITHOUT_CAPTURE.contains(&protocol.as_str()))
        .collect();
    assert!(missing.is_empty(), "no capture shows {missing:?}");
}

#[test]
fn each_required_field_is_missed_when_it_is_gone() {
    let validator = validator();
    let emit = "alert,observation,flow,stats";
    let records = run(["read", "--json", "--emit", emit, "pcaps/vnc"]).records();
    for kind in ["alert", "observation", "flow", "stats"] {
        let whole = records
            .iter()
            .find(|record| record["kind"] == kind)
            .expect("each kind is written");
        for field in strings(&schema()["$defs"][kind]["required"]) {
            let mut record = whole.clone();
            record.as_object_mut().map(|fields| fields.remove(&field));
            assert!(
                !validator.is_valid(&record),
                "a {kind} without {field} is taken"
            );
        }
        let mut longer = whole.clone();
        longer["a_field_of_a_later_version"] = json!(1);
        assert!(
            validator.is_valid(&longer),
            "fields may be added to a {kind}"
        );
    }
}

#[test]
fn what_is_no_record_is_refused() {
    let validator = validator();
    for wrong in [
        json!({}),
        json!([]),
        json!({"kind": "alert", "schema_version": 1}),
        json!({"kind": "observation", "schema_version": 1, "protocol": "rfb"}),
        json!({"kind": "surprise", "schema_version": 1}),
    ] {
        assert!(!validator.is_valid(&wrong), "{wrong} is taken");
    }
    // Only an alert about the sensor has no flow and the like.
    let records = run(["read", "--json", "pcaps/vnc"]).records();
    for field in ["flow", "grade", "direction", "victim"] {
        let mut alert = records[0].clone();
        assert!(validator.is_valid(&alert));
        if field == "victim" {
            alert[field]["ip"] = Value::Null;
        } else {
            alert[field] = Value::Null;
        }
        assert!(!validator.is_valid(&alert), "without {field} it is taken");
    }
}

fn schema() -> Value {
    let path = root().join("deploy/schema/record.schema.json");
    let text = fs::read_to_string(path).expect("the schema is in the repository");
    serde_json::from_str(&text).expect("the schema is JSON")
}

pub(crate) fn validator() -> Validator {
    jsonschema::draft202012::meta::validate(&schema()).expect("the schema keeps to its own");
    jsonschema::draft202012::new(&schema()).expect("the schema can be used")
}

fn strings(list: &Value) -> BTreeSet<String> {
    let list = list.as_array().expect("a list").iter();
    list.filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

/// It shares its body with `dns`, which captures show.
const WITHOUT_CAPTURE: [&str; 1] = ["llmnr"];
