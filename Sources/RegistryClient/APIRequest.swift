import AsyncHTTPClient
import EnsembleModel
import Foundation
import NIOCore
import NIOHTTP1

/// One request of the API, before it becomes HTTP.
struct APIRequest {
    enum Content {
        case none
        case json([UInt8])
        case upload(Upload, progress: Upload.Progress)
    }

    var method: HTTPMethod = .GET
    var path: String
    var query: [(name: String, value: String)] = []
    var headers: [(name: String, value: String)] = []
    var content = Content.none
    /// Whether sending it twice does what sending it once does.
    var isRepeatable = true
    /// What the registry is asked to wait before it answers.
    var wait: Duration = .zero

    /// The query `after=&limit=` of a page.
    static func page(_ path: String, after: String?, limit: Int?) -> APIRequest {
        let query = [("after", after), ("limit", limit.map(String.init))]
        return APIRequest(path: path, query: query.compactMap { name, value in value.map { (name, $0) } })
    }

    func http(_ configuration: RegistryClientConfiguration) throws -> HTTPClientRequest {
        var request = HTTPClientRequest(url: configuration.baseURL + path + encodedQuery)
        request.method = method
        request.headers.add(name: "User-Agent", value: "ensemble-registry")
        request.headers.add(name: "Accept", value: "application/json, application/problem+json;q=0.9, */*;q=0.5")
        if let token = configuration.token {
            request.headers.add(name: "Authorization", value: token.authorization)
        }
        for header in headers { request.headers.add(name: header.name, value: header.value) }
        switch content {
        case .none: break
        case .json(let bytes):
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(bytes)
        case .upload(let upload, let progress):
            request.headers.add(name: "Content-Type", value: upload.contentType)
            if let encoding = upload.contentEncoding { request.headers.add(name: "Content-Encoding", value: encoding) }
            if let digest = upload.digest {
                request.headers.add(
                    name: "Content-Digest", value: "sha-256=:\(Data(digest.rawBytes).base64EncodedString()):")
            }
            request.body = upload.body(progress: progress)
        }
        return request
    }

    private var encodedQuery: String {
        guard !query.isEmpty else { return "" }
        return "?" + query.map { "\($0.name.percentEncoded)=\($0.value.percentEncoded)" }.joined(separator: "&")
    }
}

extension String {
    /// Everything but RFC 3986's unreserved characters as `%XX`: unlike Foundation's sets this also covers `+`.
    fileprivate var percentEncoded: String {
        var output: [UInt8] = []
        for byte in utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                output.append(byte)
            default: output += "%\(CollectionOfOne(byte).hexadecimal.uppercased())".utf8
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}

extension ContentDigest {
    /// The digest's 32 bytes.
    fileprivate var rawBytes: [UInt8] {
        let digits = hex.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
        return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}
