import Testing

@testable import ServingNode

@Suite struct MemberEndpointTests {
    @Test(arguments: [
        ("http://h:8080", "http://h:8080/v2/models/knn/infer"),
        ("http://h:8080/", "http://h:8080/v2/models/knn/infer"),
        ("https://h/prefix", "https://h/prefix/v2/models/knn/infer"),
        ("http://h/v2/models/other", "http://h/v2/models/other/infer"),
        ("http://h/p/v2/models/other/versions/3/", "http://h/p/v2/models/other/versions/3/infer"),
        ("http://[::1]:80?inputs=x,key&output=p", "http://[::1]:80/v2/models/knn/infer"),
    ]) func isTheServersOrTheModels(_ text: String, url: String) throws {
        #expect(try #require(MemberEndpoint(text, model: "knn")).inferURL == url)
    }

    @Test func theQuerySaysWhatTheMemberUses() throws {
        let plain = try #require(MemberEndpoint("http://h", model: "knn"))
        #expect(plain.inputs == nil && plain.output == nil && plain.precomputeURL == nil)
        let full = try #require(
            MemberEndpoint("http://h/v2/models/m?inputs=x,key&output=predict_proba&precompute=true", model: "knn"))
        #expect(full.inputs == ["x", "key"] && full.output == "predict_proba")
        #expect(full.precomputeURL == "http://h/v2/models/m/precompute")
        #expect(MemberEndpoint("http://h?precompute=/warm/up", model: "knn")?.precomputeURL == "http://h/warm/up")
        #expect(MemberEndpoint("http://h?precompute=false", model: "knn")?.precomputeURL == .some(nil))
    }

    @Test(arguments: [
        "", "h:8080", "grpc://h:8081", "http://", "http://user:secret@h", "http://h#x", "http://h?x=1",
        "http://h?precompute=warm",
    ]) func isNotCalled(_ text: String) {
        #expect(MemberEndpoint(text, model: "knn") == nil)
    }
}
