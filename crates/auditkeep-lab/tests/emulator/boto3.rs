//! boto3 against the emulator.

use std::path::Path;

use auditkeep_lab::emulator::{DEFAULT_ACCESS_KEY_ID, DEFAULT_SECRET_ACCESS_KEY, Emulator, EmulatorOptions};
use auditkeep_lab::servers::moto::python;

use crate::lab::{REGION, fleet, memory};

#[tokio::test]
async fn boto3_understands_every_answer() {
    let mut fleet = fleet();
    let lines: Vec<u8> = (0..25_000).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
    let mut files = vec![
        ("error/lines".to_owned(), lines, 1_793_613_600_000),
        ("error/umlaut".to_owned(), "  Grüße <&>\r\n".as_bytes().to_vec(), 1_793_613_601_000),
        ("error/dump.bin".to_owned(), b"\x00\x01".to_vec(), 1_793_613_602_000),
    ];
    files.extend((0..1200).map(|n| (format!("trace/{n}"), b"x".to_vec(), 1_793_610_000_000)));
    fleet.instances[0].logs = memory(files);
    let emulator = Emulator::start(EmulatorOptions::loopback(fleet)).await.unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/boto3_client.py");
    let python = python().unwrap();
    let output = tokio::process::Command::new(&python)
        .arg(script)
        .env("LAB_ENDPOINT", emulator.endpoint())
        .env("LAB_REGION", REGION)
        .env("LAB_ACCESS_KEY_ID", DEFAULT_ACCESS_KEY_ID)
        .env("LAB_SECRET_ACCESS_KEY", DEFAULT_SECRET_ACCESS_KEY)
        .output()
        .await
        .unwrap_or_else(|error| {
            panic!("{} does not start ({error}): run `cargo xtask setup`", python.display())
        });
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    assert!(said.contains("all 8 checks passed"), "{said}");
    emulator.shutdown().await;
}
