/// The rule for the names of ensembles, models and versions.
public enum Name {
    /// The longest name accepted, in bytes.
    public static let maximumLength = 128

    /// Checks a name: ASCII letters, digits, `.`, `_` and `-`, starting with a letter or digit, at most 128 bytes.
    ///
    /// - Parameters:
    ///   - name: the name as given.
    ///   - what: what is being named, for the message ("ensemble", "model", "version").
    /// - Throws: ``EnsembleModelError`` with code `invalidName`.
    public static func check(_ name: some StringProtocol, as what: String) throws(EnsembleModelError) {
        guard let first = name.utf8.first, name.utf8.count <= maximumLength, isAlphanumeric(first),
            name.utf8.allSatisfy({
                isAlphanumeric($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-")
            })
        else {
            throw EnsembleModelError(
                .invalidName,
                "'\(name.prefix(40))' is no \(what) name: use 1 to \(maximumLength) ASCII letters, digits, '.', '_' "
                    + "or '-', starting with a letter or digit")
        }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            true
        default: false
        }
    }
}
