import EnsembleModel
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import NIOFoundationCompat
import RegistryAPI

extension Response {
    /// An answer in the API's JSON.
    static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        try Response(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(data: APIJSON.encoder().encode(value))))
    }

    /// A problem as `application/problem+json`.
    static func problem(_ problem: Problem) -> Response {
        // A Problem holds strings and integers only, which always encode.
        let body = (try? APIJSON.encoder().encode(problem)) ?? Data("{\"code\":\"internal_error\"}".utf8)
        var headers: HTTPFields = [.contentType: "application/problem+json"]
        if problem.code == .unauthenticated { headers[.wwwAuthenticate] = "Bearer" }
        if problem.status == 503 { headers[.retryAfter] = "1" }
        return Response(
            status: HTTPResponse.Status(code: problem.status), headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(data: body)))
    }

    /// Content that never changes under its digest: strong ETag, and 304 for a client that has it.
    ///
    /// - Parameters:
    ///   - fields: ``HTTPTypes/HTTPFields/content(digest:length:type:forever:)``.
    ///   - request: nil where it asks for news, and what it has is not the question.
    static func content(_ body: ByteBuffer, fields: HTTPFields, request: Request?) -> Response {
        let known = (request?.headers[values: .ifNoneMatch] ?? []).flatMap { $0.split(separator: ",") }
            .map { $0.trimmingCharacters(in: .whitespaces) }
        guard known.contains("*") || fields[.eTag].map(known.contains) ?? false else {
            return Response(status: .ok, headers: fields, body: ResponseBody(byteBuffer: body))
        }
        var fields = fields
        fields[.contentLength] = nil
        return Response(status: .notModified, headers: fields)
    }

    /// As ``content(_:fields:request:)``.
    static func content(
        _ bytes: [UInt8], digest: ContentDigest, type: String, forever: Bool, request: Request?
    ) -> Response {
        content(
            ByteBuffer(bytes: bytes),
            fields: .content(digest: digest, length: bytes.count, type: type, forever: forever), request: request)
    }
}
