/// Why a member gave no probabilities.
struct MemberFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// Stable names, as counted.
    enum Code: String, Hashable, Sendable, CaseIterable {
        /// No answer before the deadline.
        case timeout
        /// The connection failed.
        case unreachable
        /// The member says that it cannot answer now (503).
        case busy
        /// The member refused the request (4xx).
        case refused
        /// The member failed (5xx, but 503), or answered with what cannot be used.
        case badAnswer = "bad_answer"
        /// Not called: it failed too often in a row.
        case breakerOpen = "breaker_open"
        /// Not called: too many rows wait for it, or the node ends.
        case queueFull = "queue_full"
    }

    let code: Code
    /// What happened, without any values of rows.
    let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    var description: String { message }

    /// Whether the member itself is at fault.
    var isMembers: Bool {
        switch code {
        case .timeout, .unreachable, .busy, .badAnswer: true
        case .refused, .breakerOpen, .queueFull: false
        }
    }

    /// Whether a single one of joined requests may be the reason.
    var mayBeOfOneRequest: Bool { code == .refused || code == .badAnswer }
}
