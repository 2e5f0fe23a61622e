import EnsembleModel
import Foundation
import Synchronization

/// A line on a terminal's standard error that is written over as work goes on; silent where nobody watches.
final class ProgressLine: Sendable {
    private let console: Console
    private let state = Mutex(State())

    private struct State {
        /// When the first bytes were reported: what came before does not count into the rate.
        var started: ContinuousClock.Instant?
        var drawnAt: ContinuousClock.Instant?
        var text = ""
    }

    /// Redrawing more often than this only costs time.
    private static let interval = Duration.milliseconds(100)

    init(_ console: Console) { self.console = console }

    /// Shows how much of a number of bytes is done.
    func bytes(_ label: String, _ done: Int64, of total: Int64) {
        let now = ContinuousClock.now
        let started = state.withLock { state in
            if state.started == nil || done == 0 { state.started = now }
            return state.started ?? now
        }
        show(always: done >= total) {
            Self.transfer(label, done: done, total: total, seconds: (now - started) / .seconds(1), width: console.width)
        }
    }

    /// Shows where an evaluation is.
    func evaluation(_ state: WorkState, _ progress: EvaluationProgress?) {
        show(always: true) {
            guard let progress, progress.total > 0 else { return "\(state.rawValue)…" }
            let fraction = Double(progress.completed) / Double(progress.total)
            return "\(progress.phase) \(Self.bar(fraction, width: 24)) \(progress.completed)/\(progress.total)"
        }
    }

    /// Shows what is being done.
    func doing(_ what: String) { show(always: true) { what + "…" } }

    /// Removes the line.
    func clear() {
        state.withLock { state in
            if state.drawnAt != nil { console.tell("\r\u{1B}[K") }
            (state.drawnAt, state.text) = (nil, "")
        }
    }

    private func show(always: Bool, _ text: () -> String) {
        guard console.isWatched else { return }
        state.withLock { state in
            let now = ContinuousClock.now
            if !always, let at = state.drawnAt, now - at < Self.interval { return }
            let text = String(text().withoutControls().prefix(console.width - 1))
            guard text != state.text else { return }
            (state.drawnAt, state.text) = (now, text)
            console.tell("\r\u{1B}[K" + text)
        }
    }

    /// `uploading ████░░  45 %  12.3 MB of 27.0 MB  8.1 MB/s  2 s left`.
    static func transfer(_ label: String, done: Int64, total: Int64, seconds: Double, width: Int) -> String {
        let fraction = total > 0 ? min(1, Double(done) / Double(total)) : 1
        let rate = seconds > 0 ? Double(done) / seconds : 0
        var parts = [
            "\(Int(fraction * 100)) %", "\(Format.bytes(Double(done))) of \(Format.bytes(Double(total)))",
            "\(Format.bytes(rate))/s",
        ]
        if rate > 0, done < total { parts.append("\(Format.duration(Double(total - done) / rate)) left") }
        let figures = parts.joined(separator: "  ")
        let room = width - 1 - label.displayWidth - figures.displayWidth - 3
        return label + " " + (room >= 8 ? bar(fraction, width: min(room, 30)) + "  " : "") + figures
    }

    static func bar(_ fraction: Double, width: Int) -> String {
        let full = Int((min(max(fraction, 0), 1) * Double(width)).rounded(.down))
        return String(repeating: "█", count: full) + String(repeating: "░", count: width - full)
    }
}
