public import Logging
import Synchronization

/// Keeps what is logged, so that a test can read it.
public final class LogRecorder: Sendable {
    /// A line of the log.
    public struct Entry: Sendable {
        public var level: Logger.Level
        public var message: String
        public var metadata: Logger.Metadata
    }

    private let kept = Mutex<[Entry]>([])

    /// A recorder of nothing yet.
    public init() {}

    /// What was logged so far.
    public var entries: [Entry] { kept.withLock { $0 } }

    /// A logger whose lines end up here; unlike a silent one it keeps metadata, where a request's id lives.
    public var logger: Logger { Logger(label: "test") { _ in Handler(recorder: self) } }

    private struct Handler: LogHandler {
        let recorder: LogRecorder
        var metadata = Logger.Metadata()
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let entry = Entry(
                level: event.level, message: "\(event.message)",
                metadata: metadata.merging(event.metadata ?? [:]) { $1 })
            recorder.kept.withLock { $0.append(entry) }
        }
    }
}
