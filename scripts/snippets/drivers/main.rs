mod verify_webhook;

use base64::{engine::general_purpose::STANDARD, Engine};
use std::io::BufRead;

fn read(field: &str) -> Vec<u8> {
    if field == "-" {
        return Vec::new();
    }
    STANDARD.decode(field).expect("base64")
}

fn text(field: &str) -> String {
    String::from_utf8(read(field)).expect("UTF-8")
}

fn main() {
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line");
        let fields: Vec<&str> = line.split(' ').collect();
        let valid = verify_webhook::verify(
            &text(fields[0]),
            &text(fields[1]),
            &text(fields[2]),
            &text(fields[3]),
            &read(fields[4]),
            fields[5].parse().expect("seconds"),
        );
        println!("{}", if valid { "ok" } else { "no" });
    }
}
