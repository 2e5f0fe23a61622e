import CLibpq

/// Owns libpq's connection, so that it is closed exactly once.
// Unchecked: the pointer is used only by the session that owns the handle, on the event loop; the last release may be
// anywhere, and closing needs no particular thread.
final class Handle: @unchecked Sendable {
    let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit {
        PQfinish(pointer)
    }
}

/// Owns what libpq needs to ask the server to end a statement. It is used once, on a thread of its own.
// Unchecked: libpq's cancel object is immutable.
final class CancelHandle: @unchecked Sendable {
    private let pointer: OpaquePointer

    init?(_ handle: Handle) {
        guard let pointer = PQgetCancel(handle.pointer) else { return nil }
        self.pointer = pointer
    }

    deinit {
        PQfreeCancel(pointer)
    }

    /// Connects to the server to deliver the request; returns when the server has taken it.
    func deliver() {
        var message = [CChar](repeating: 0, count: 256)
        // Failure needs no report: the statement's drain then runs into its deadline and the connection is closed.
        _ = PQcancel(pointer, &message, Int32(message.count))
    }
}
