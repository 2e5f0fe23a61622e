/// A text model that is not usable: what is wrong with it, and in which tree.
public struct ForestError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Stable, machine-readable kinds of this error.
    public enum Code: String, Hashable, Sendable {
        /// Not a whole, consistent LightGBM text model.
        case malformed
        /// A text model that uses what is not supported here.
        case unsupported
        /// More than the limits allow.
        case tooLarge
        /// Text models that do not belong together.
        case mismatched
    }

    /// The kind of error, for callers that branch.
    public let code: Code
    /// What is wrong, in one sentence.
    public let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { "\(code.rawValue): \(message)" }
}
