import EnsembleModel
import Foundation
import HTTPTypes
import Hummingbird
import Ingest
import RegistryAPI

/// How an upload's body is written, from the request's headers.
struct UploadEncoding {
    let format: UploadFormat
    let gzip: Bool
    /// SHA-256 of the body as sent, when the sender announced it.
    let digest: ContentDigest?

    init(_ request: Request, limits: DaemonLimits) throws {
        if let text = request.headers[.contentLength] {
            guard let length = Int(text), length >= 0 else {
                throw Problem(.badRequest, detail: "Content-Length is not a number")
            }
            guard length <= limits.uploadBytes else {
                throw Problem(
                    .tooLarge, detail: "the body has \(length) bytes; at most \(limits.uploadBytes) are accepted")
            }
        }
        let type = (request.headers[.contentType] ?? "text/csv").split(separator: ";").first.map(String.init) ?? ""
        switch type.trimmingCharacters(in: .whitespaces).lowercased() {
        case "text/csv": format = .csv
        case "application/vnd.numpy": format = .npy
        default:
            throw Problem(
                .unsupportedMediaType,
                detail: "'\(type.prefix(60))' is not accepted: send text/csv or application/vnd.numpy")
        }
        switch (request.headers[.contentEncoding] ?? "identity").lowercased() {
        case "identity": gzip = false
        case "gzip", "x-gzip": gzip = true
        default: throw Problem(.unsupportedMediaType, detail: "the Content-Encoding is not accepted: send gzip or none")
        }
        digest = try request.headers[.contentDigest].map(Self.parse)
    }

    /// Parses `sha-256=:BASE64:` (RFC 9530).
    private static func parse(_ header: String) throws -> ContentDigest {
        let prefix = "sha-256=:"
        for field in header.split(separator: ",").map({ $0.trimmingCharacters(in: .whitespaces) })
        where field.lowercased().hasPrefix(prefix) && field.hasSuffix(":") {
            if let bytes = Data(base64Encoded: String(field.dropFirst(prefix.count).dropLast())), bytes.count == 32 {
                return try ContentDigest(hex: bytes.hexadecimal)
            }
        }
        throw Problem(.badRequest, detail: "Content-Digest must be sha-256=:BASE64: (RFC 9530)")
    }
}
