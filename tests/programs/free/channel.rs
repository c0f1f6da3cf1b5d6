// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: heap
// builds: O0-g O2-g O2-stripped
// rate: 4000 a second a thread
// A Box that two threads send each other through channels; its owner writes to it without a lock.
#[path = "../support/pace.rs"]
mod pace;

use std::sync::mpsc::{channel, Receiver, Sender};

fn player(from: Receiver<Box<[u64; 4]>>, to: Sender<Box<[u64; 4]>>) {
    for mut ball in from {
        ball[0] += 1;
        pace::pause_us(60);
        ball[3] += ball[0];
        to.send(ball).unwrap();
    }
}

fn main() {
    pace::end_with_stdin();
    let (to_other, from_me) = channel();
    let (to_me, from_other) = channel();
    to_other.send(Box::new([0; 4])).unwrap();
    to_other.send(Box::new([0; 4])).unwrap();
    std::thread::spawn(move || player(from_me, to_me));
    player(from_other, to_other);
}
