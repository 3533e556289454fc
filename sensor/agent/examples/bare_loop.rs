//! What libpcap needs to count the packets of a file: the measure of `cargo xtask bench`.

#[expect(clippy::print_stdout, reason = "a program of its own")]
fn main() -> Result<(), pcap::Error> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "-".to_owned());
    let mut capture = pcap::Capture::from_file(path)?;
    let (mut packets, mut octets) = (0_u64, 0_u64);
    while let Ok(packet) = capture.next_packet() {
        packets += 1;
        octets += u64::from(packet.header.len);
    }
    println!("{packets} packets, {octets} octets");
    Ok(())
}
