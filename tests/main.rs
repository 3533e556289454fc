//! The whole program from the outside: one integration binary, so that it is linked once.
//!
//! | module | asks |
//! |---|---|
//! | [`cli`] | what a user is told, and by which exit code |
//! | [`corpus`] | what is found in third-party captures whose truth is known (only where `TERRIER_CORPUS` names them) |
//! | [`cut`] | whether the facts depend on how TCP cut the octets |
//! | [`doctor`] | whether the doctor finds what is wrong with a capture |
//! | [`deploy`] | whether systemd and Prometheus take the files of `deploy/`, and the rules fire |
//! | [`encap`] | what is found inside each encapsulation of `pcaps/encap` |
//! | [`fuzz_bodies`] | whether the laws of the fuzz targets hold for the payloads of real captures |
//! | [`golden`] | what is said about each capture of `pcaps/`, octet by octet |
//! | [`follow`] | whether a capture that grows is told as one that is whole |
//! | [`hostile`] | whether hostile packets do harm: panics, answers that depend on the workers, memory without bound |
//! | [`inputs`] | whether the answer depends on the files and formats that the packets came in |
//! | [`live`] | whether `terrier run` on an interface says what `terrier read` says of a capture (only as root) |
//! | [`readme`] | whether the tables of `README.md` are what the code says |
//! | [`schema`] | whether the records keep to the schema that others rely on |
//! | [`strict`] | whether what is no tool, but begins like one, is told as one |
//! | [`tidy`] | whether the house rules are kept |
//! | [`traffic`] | whether exactly that is found in made-up traffic which was put into it |
//! | [`wrapped`] | whether the facts depend on what carried the packets |
//! | [`workers`] | whether the answer depends on the number of workers or on the weather |

mod cli;
mod corpus;
mod cut;
mod deploy;
mod doctor;
mod encap;
mod follow;
mod fuzz_bodies;
mod golden;
mod hostile;
mod inputs;
mod live;
mod readme;
mod schema;
mod strict;
mod support;
mod tidy;
mod traffic;
mod workers;
mod wrapped;
