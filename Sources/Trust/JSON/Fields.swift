import EnsembleModel

/// The members of one JSON object while they are read; what nobody takes is kept as ``rest``.
struct Fields {
    /// Where the object stands, for messages: `root.json signed`.
    let place: String
    let role: MetadataRole?
    private(set) var rest: [String: CanonicalValue]

    init(_ value: CanonicalValue, place: String, role: MetadataRole? = nil) throws(TrustError) {
        guard case .object(let members) = value else {
            throw TrustError(.malformed, role, "\(place) is no object")
        }
        self.place = place
        self.role = role
        rest = members
    }

    mutating func take(_ key: String) -> CanonicalValue? { rest.removeValue(forKey: key) }

    mutating func required(_ key: String) throws(TrustError) -> CanonicalValue {
        guard let value = take(key) else { throw malformed("'\(key)' is missing") }
        return value
    }

    mutating func string(_ key: String) throws(TrustError) -> String {
        guard case .string(let text) = try required(key) else { throw malformed("'\(key)' is no text") }
        return text
    }

    mutating func bool(_ key: String) throws(TrustError) -> Bool {
        guard case .bool(let value) = try required(key) else { throw malformed("'\(key)' is neither true nor false") }
        return value
    }

    /// An integer of at least `minimum`.
    mutating func integer(_ key: String, atLeast minimum: Int) throws(TrustError) -> Int {
        guard case .integer(let value) = try required(key), value >= minimum else {
            throw malformed("'\(key)' is no integer of at least \(minimum)")
        }
        return Int(value)
    }

    mutating func array(_ key: String) throws(TrustError) -> [CanonicalValue] {
        guard case .array(let values) = try required(key) else { throw malformed("'\(key)' is no array") }
        return values
    }

    mutating func fields(_ key: String) throws(TrustError) -> Fields {
        try Fields(required(key), place: "\(place) \(key)", role: role)
    }

    /// The members of an object by key, each with its place.
    mutating func members(_ key: String) throws(TrustError) -> [(key: String, value: CanonicalValue)] {
        try fields(key).rest.sorted { $0.key.precedes($1.key) }
    }

    /// A SHA-256 digest.
    mutating func digest(_ key: String) throws(TrustError) -> ContentDigest {
        do {
            return try ContentDigest(hex: string(key))
        } catch let error as TrustError {
            throw error
        } catch {
            throw malformed("'\(key)' is no sha256 digest")
        }
    }

    /// Bytes, given as hexadecimal digits.
    mutating func bytes(_ key: String) throws(TrustError) -> [UInt8] {
        guard let bytes = [UInt8](hexadecimal: try string(key)) else {
            throw malformed("'\(key)' is not made of hexadecimal digits")
        }
        return bytes
    }

    func malformed(_ what: String) -> TrustError { TrustError(.malformed, role, "in \(place) \(what)") }
}

extension [UInt8] {
    /// Bytes of two hexadecimal digits each; nil for anything else.
    init?(hexadecimal text: String) {
        let digits = text.utf8.map { Character(Unicode.Scalar($0)).hexDigitValue }
        guard digits.count.isMultiple(of: 2) else { return nil }
        self = []
        reserveCapacity(digits.count / 2)
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = digits[index], let low = digits[index + 1] else { return nil }
            append(UInt8(high << 4 | low))
        }
    }
}
