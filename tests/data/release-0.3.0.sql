--
-- PostgreSQL database dump
--


-- Dumped from database version 15.20 (Debian 15.20-0+deb12u1)
-- Dumped by pg_dump version 15.20 (Debian 15.20-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Data for Name: access; Type: TABLE DATA; Schema: layra; Owner: -
--

COPY layra.access (level, role) FROM stdin;
writer	release_alice
writer	release_bob
auditor	release_auditor
admin	release_admin
\.


--
-- Data for Name: bequeathed_key; Type: TABLE DATA; Schema: layra; Owner: -
--

COPY layra.bequeathed_key (source, idempotency_key, version, type, to_version) FROM stdin;
6d384608-575d-4f37-96e2-db138b9bb33e	kept	1	run.started	\N
6d384608-575d-4f37-96e2-db138b9bb33e		0	run.dropped	\N
\.


--
-- Data for Name: breaker; Type: TABLE DATA; Schema: layra; Owner: -
--

COPY layra.breaker (owner, name, failure_threshold, reset_after, probe_lease, created_at) FROM stdin;
release_alice	mail api	2	00:00:30	00:00:30	2026-11-28 02:34:56.934638+00
\.


--
-- Data for Name: breaker_outcome; Type: TABLE DATA; Schema: layra; Owner: -
--

COPY layra.breaker_outcome (owner, name, at, id, outcome, error) FROM stdin;
release_alice	mail api	2026-11-28 02:34:56.937956+00	3ce4ea80-9f42-40a2-b1b4-c945acfc919e	failure	{"status": 503}
release_alice	mail api	2026-11-28 02:34:56.94455+00	c1243d68-0f13-4d0c-a4d6-4947e1275390	failure	{"status": 504}
\.


--
-- Data for Name: breaker_probe; Type: TABLE DATA; Schema: layra; Owner: -
--

COPY layra.breaker_probe (owner, name, probe_at, probe_by) FROM stdin;
release_alice	mail api	\N	\N
\.


--
-- Data for Name: cell; Type: TABLE DATA; Schema: layra; Owner: -
--

COPY layra.cell (run_id, scope, key, ordinal, version, revision, value, hash, base) FROM stdin;
recorded	engine	execution_stack	0	1	1	[]	\\xd53d18c23212ea7b6300594bb89bce60218f6eff2b9d628b8cc42d3e79bbd5ab	\N
recorded	engine	layra.document	0	1	1	["global_variables", "execution_status", "loop_index", "context", "nodes", "edges"]	\\xaf7b4810af3931e1a17029c87fe36d077cc53d9a2a720792ab85c2814dd6c650	\N
recorded	engine	layra.graph	0	1	1	{"hash": "9806700c9cd9e7e3ead25c22b4efdb910aeed3e8487dd9b06adb706e907571be", "owner": "release_alice"}	\\x621fbbeafbdc42d2d4b5a98e53c960ab2165e1f6da385ddecb5ebb27a23204a9	\N
recorded	engine	skip_nodes	0	1	1	[]	\\xd53d18c23212ea7b6300594bb89bce60218f6eff2b9d628b8cc42d3e79bbd5ab	\N
recorded	node	cond_quality	0	1	1	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556	\N
recorded	node	loop_rounds	0	1	1	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556	\N
recorded	node	loop_sections	0	1	1	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556	\N
recorded	node	n_accept	0	1	1	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556	\N
recorded	node	n_draft	0	1	1	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556	\N
recorded	node	n_final	0	1	1	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556	\N
recorded	node	n_init	0	1	1	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556	\N
recorded	node	n_plan	0	1	1	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556	\N
recorded	node	n_review	0	1	1	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556	\N
recorded	node	n_revise	0	1	1	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556	\N
recorded	node	node_start	0	1	1	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556	\N
recorded	variable	accepted	0	1	1	"[]"	\\x01c39d59ea8427735bb7c738197dcf9404fdbffe63180fd2586aa4d666f2beb3	\N
recorded	variable	approved	0	1	1	"False"	\\x4645e8a9099e750f08c55bbfc1160c8f96f7f51ed5d7acf5696f621d5ca1f749	\N
recorded	variable	confidence	0	1	1	"0.0"	\\x0492023c99a5d1296f8daa1fbc61e11eab2cade2ab9208eb6f2cee52f56de82b	\N
recorded	variable	current_section	0	1	1	""	\\x1286f4d583fcffb2849e654c9ec78d95c03e83bf73d6b4c18b21df1dda49c7fa	\N
recorded	variable	draft	0	1	1	""	\\x1286f4d583fcffb2849e654c9ec78d95c03e83bf73d6b4c18b21df1dda49c7fa	\N
recorded	variable	draft_round	0	1	1	"0"	\\x00c646b81eb763d59cc6f7b5141b738cb072f20afe18f03a67456e32b4f63709	\N
recorded	variable	feedback	0	1	1	""	\\x1286f4d583fcffb2849e654c9ec78d95c03e83bf73d6b4c18b21df1dda49c7fa	\N
recorded	variable	history	0	1	1	"[]"	\\x01c39d59ea8427735bb7c738197dcf9404fdbffe63180fd2586aa4d666f2beb3	\N
recorded	variable	hits	0	1	1	"[]"	\\x01c39d59ea8427735bb7c738197dcf9404fdbffe63180fd2586aa4d666f2beb3	\N
recorded	variable	metrics	0	1	1	"{}"	\\x15a56b34826596cd056edfda18a14722cdc7344203e1fafce72c9cf8f1e7efb2	\N
recorded	variable	progress	0	1	1	"0.0"	\\x0492023c99a5d1296f8daa1fbc61e11eab2cade2ab9208eb6f2cee52f56de82b	\N
recorded	variable	report	0	1	1	"{}"	\\x15a56b34826596cd056edfda18a14722cdc7344203e1fafce72c9cf8f1e7efb2	\N
recorded	variable	report_title	0	1	1	""	\\x1286f4d583fcffb2849e654c9ec78d95c03e83bf73d6b4c18b21df1dda49c7fa	\N
recorded	variable	review	0	1	1	""	\\x1286f4d583fcffb2849e654c9ec78d95c03e83bf73d6b4c18b21df1dda49c7fa	\N
recorded	variable	revisions	0	1	1	"0"	\\x00c646b81eb763d59cc6f7b5141b738cb072f20afe18f03a67456e32b4f63709	\N
recorded	variable	section_index	0	1	1	"0"	\\x00c646b81eb763d59cc6f7b5141b738cb072f20afe18f03a67456e32b4f63709	\N
recorded	variable	sections	0	1	1	"[]"	\\x01c39d59ea8427735bb7c738197dcf9404fdbffe63180fd2586aa4d666f2beb3	\N
recorded	variable	threshold	0	1	1	"0.7"	\\x61e0a4cc1b5726c1ba19f488ca4f6ac4abbe2016b562e28ee8aa6e5064e301e7	\N
recorded	variable	total_chars	0	1	1	"0"	\\x00c646b81eb763d59cc6f7b5141b738cb072f20afe18f03a67456e32b4f63709	\N
recorded	node	node_start	0	3	2	{"status": "completed"}	\\x9775cc77ce4151d1e36df2f4ca2278deb0d8e0a3b536b4841f5f09a709432fb2	\N
recorded	context	n_init	-1	7	1	{"live": 1, "next": 1}	\\xcaeaebf9672ad5f1aa37c29d54558d8d1bff93a5e91514700662f4219d59926f	\N
recorded	context	n_init	0	7	1	{"result": ""}	\\xb58b8db1e7aee3f48301c5af55c5a2dbee55dbe86c0f4f649d7ac2cab56937f6	\N
recorded	node	n_init	0	7	2	{"status": "completed"}	\\x9775cc77ce4151d1e36df2f4ca2278deb0d8e0a3b536b4841f5f09a709432fb2	\N
recorded	variable	current_section	0	7	2	"''"	\\x553975fb5b4bf0d49f3c811405269406979de3b54bede6e32136b4c25d574518	\N
recorded	variable	draft	0	7	2	"''"	\\x553975fb5b4bf0d49f3c811405269406979de3b54bede6e32136b4c25d574518	\N
recorded	variable	feedback	0	7	2	"''"	\\x553975fb5b4bf0d49f3c811405269406979de3b54bede6e32136b4c25d574518	\N
recorded	variable	metrics	0	7	2	"{'accepted': 0, 'revised': 0, 'by_section': {}}"	\\x04f57f1dcbe02c6199845f619b766b93215d11223221d5a3c736a918cc158bfd	\N
recorded	variable	report_title	0	7	2	"'Quarterly retrieval audit'"	\\x7c1778f3d2513cd67898534bc79cef67bffd4bfc4823ee73c33d90dae4683fb4	\N
recorded	variable	review	0	7	2	"''"	\\x553975fb5b4bf0d49f3c811405269406979de3b54bede6e32136b4c25d574518	\N
recorded	variable	sections	0	7	2	"['Background', 'Method', 'Results']"	\\x648d00c5866b02d0ec00753c15569588fd478123f19362540ad3d88f9adcd665	\N
recorded	loop	loop_sections	0	10	1	{"index": 0}	\\xe88bde8bbcd74258da711c9c43edd7bed1e832a0616a2a3546ed11376fc7c0a8	\N
recorded	context	n_plan	-1	13	1	{"live": 1, "next": 1}	\\xcaeaebf9672ad5f1aa37c29d54558d8d1bff93a5e91514700662f4219d59926f	\N
recorded	context	n_plan	0	13	1	{"result": ""}	\\xb58b8db1e7aee3f48301c5af55c5a2dbee55dbe86c0f4f649d7ac2cab56937f6	\N
recorded	node	n_plan	0	13	2	{"status": "completed"}	\\x9775cc77ce4151d1e36df2f4ca2278deb0d8e0a3b536b4841f5f09a709432fb2	\N
recorded	variable	current_section	0	13	3	"'Background'"	\\xa202cb937dd09862ba7e2972c4af67e05124caf3fe6dcff2f1e950d1050c2282	\N
recorded	variable	hits	0	13	2	"[{'doc': 'D007', 'page': 1, 'score': 0.91}, {'doc': 'D008', 'page': 2, 'score': 0.84}, {'doc': 'D009', 'page': 3, 'score': 0.77}, {'doc': 'D010', 'page': 4, 'score': 0.7}, {'doc': 'D011', 'page': 5, 'score': 0.63}]"	\\x96a1e24e9a7f095072731d6cec89679eefd9cfc9b8f027adde45bc80927f607a	\N
recorded	variable	section_index	0	13	2	"1"	\\x8471dbc63c81fea18163edf2c9dcfcd5a5c8b23820e53cdd94b64d2fc5016159	\N
recorded	loop	loop_rounds	0	15	1	{"index": 0}	\\xe88bde8bbcd74258da711c9c43edd7bed1e832a0616a2a3546ed11376fc7c0a8	\N
recorded	context	n_draft	-1	20	1	{"live": 1, "next": 1}	\\xcaeaebf9672ad5f1aa37c29d54558d8d1bff93a5e91514700662f4219d59926f	\N
recorded	context	n_draft	0	20	1	{"result": "Message generated!"}	\\x848e98a166cdce789c013d1e21a1884a0e4f02b9589197075979f8c88f2dc5ee	\N
recorded	node	n_draft	0	20	2	{"status": "completed"}	\\x9775cc77ce4151d1e36df2f4ca2278deb0d8e0a3b536b4841f5f09a709432fb2	\N
recorded	variable	confidence	0	20	2	"0.54"	\\x4363325fab34b13a77d0ad7f524cbb30bf57ed4d887ea7214d462ea9c07e3f8d	\N
recorded	variable	draft	0	20	3	"'Section draft 1: The retrieved figures support the claim with moderate confidence. The retrieved figures support the claim with moderate confidence. The retrieved figures support the claim with moderate confidence. {\\"confidence\\": 0.54, \\"summary\\": \\"draft 1 reviewed\\"}'"	\\x577350fee6b955bb5992f73039fdc6c335fc667766a2e8f79c26aa87c09c2499	\N
recorded	context	cond_quality	-1	22	1	{"live": 1, "next": 1}	\\xcaeaebf9672ad5f1aa37c29d54558d8d1bff93a5e91514700662f4219d59926f	\N
recorded	context	cond_quality	0	22	1	{"result": "Passed Connection Index: 2", "condition_child": ["Passed Condition Index: 2"]}	\\x4d5b11c62295825ef9260b80fe26ff293ba76a5823256f04eb6291771ce8e54e	\N
recorded	engine	skip_nodes	0	22	2	["n_accept"]	\\xe024f68cab53e8ab4eff4f50ba3b40a670c4080b353f42838a347126ed2c8da4	\N
recorded	node	cond_quality	0	22	2	{"status": "completed"}	\\x9775cc77ce4151d1e36df2f4ca2278deb0d8e0a3b536b4841f5f09a709432fb2	\N
recorded	node	n_accept	0	23	2	{"status": "completed"}	\\x9775cc77ce4151d1e36df2f4ca2278deb0d8e0a3b536b4841f5f09a709432fb2	\N
recorded	context	n_revise	-1	24	1	{"live": 1, "next": 1}	\\xcaeaebf9672ad5f1aa37c29d54558d8d1bff93a5e91514700662f4219d59926f	\N
recorded	context	n_revise	0	24	1	{"result": ""}	\\xb58b8db1e7aee3f48301c5af55c5a2dbee55dbe86c0f4f649d7ac2cab56937f6	\N
recorded	node	n_revise	0	24	2	{"status": "completed"}	\\x9775cc77ce4151d1e36df2f4ca2278deb0d8e0a3b536b4841f5f09a709432fb2	\N
recorded	variable	draft_round	0	24	2	"1"	\\x8471dbc63c81fea18163edf2c9dcfcd5a5c8b23820e53cdd94b64d2fc5016159	\N
recorded	variable	feedback	0	24	3	"'raise confidence above 0.7'"	\\xdac246d4588b2f6c972d6f1494bd2491670a05ab667aea43c13dc754d2b0f234	\N
recorded	variable	history	0	24	2	"[{'section': 'Background', 'round': 1, 'confidence': 0.54, 'chars': 266}]"	\\xca56511cfc3345d796169ba8426609ac93184401f96f0ee93484edfbbb314d6b	\N
recorded	variable	metrics	0	24	3	"{'accepted': 0, 'revised': 1, 'by_section': {}}"	\\x3adb0f7cbdb57c8ace13d7bcaf03c1edca52f92cb8c8201b877ec9325425bbcb	\N
recorded	variable	revisions	0	24	2	"1"	\\x8471dbc63c81fea18163edf2c9dcfcd5a5c8b23820e53cdd94b64d2fc5016159	\N
recorded	variable	total_chars	0	24	2	"266"	\\x3590c487f277eb2f075c6f058054bf88d7e625e47b00e97986792a371e9036b0	\N
recorded	engine	skip_nodes	0	25	3	[]	\\xd53d18c23212ea7b6300594bb89bce60218f6eff2b9d628b8cc42d3e79bbd5ab	\N
recorded	loop	loop_rounds	0	25	2	{"index": 1}	\\x35b7949f1fe47b26e9f5c3d779cafbf9caa4e9dd2abc76a1463babfa825154f5	\N
recorded	node	n_draft	0	26	3	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556	\N
recorded	node	cond_quality	0	27	3	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556	\N
recorded	node	n_accept	0	28	3	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556	\N
recorded	node	n_revise	0	29	3	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556	\N
recorded	context	n_draft	-1	31	2	{"live": 2, "next": 2}	\\x34e5bda2531b66cc3208f8a5e2aef491f28ec3fe9a9969ee7e2addaaec252598	\N
recorded	context	n_draft	1	31	1	{"result": "Message generated!"}	\\x848e98a166cdce789c013d1e21a1884a0e4f02b9589197075979f8c88f2dc5ee	\N
recorded	node	n_draft	0	31	4	{"status": "completed"}	\\x9775cc77ce4151d1e36df2f4ca2278deb0d8e0a3b536b4841f5f09a709432fb2	\N
recorded	variable	confidence	0	31	3	"0.58"	\\xc03d2440a966a23c57cf3b27ed458a45c120e6b06ea7cbac727b19c60370f6e6	\N
recorded	variable	draft	0	31	4	"'Section draft 2: The retrieved figures support the claim with moderate confidence. The retrieved figures support the claim with moderate confidence. The retrieved figures support the claim with moderate confidence. The retrieved figures support the claim with moderate confidence. {\\"confidence\\": 0.58, \\"summary\\": \\"draft 2 reviewed\\"}'"	\\xe91cc2e23b28f98756009455e6832fc24e6b99eb3320950f6b4788fef47b41ce	\N
recorded	context	cond_quality	-1	33	2	{"live": 2, "next": 2}	\\x34e5bda2531b66cc3208f8a5e2aef491f28ec3fe9a9969ee7e2addaaec252598	\N
recorded	context	cond_quality	1	33	1	{"result": "Passed Connection Index: 2", "condition_child": ["Passed Condition Index: 2"]}	\\x4d5b11c62295825ef9260b80fe26ff293ba76a5823256f04eb6291771ce8e54e	\N
recorded	engine	skip_nodes	0	33	4	["n_accept"]	\\xe024f68cab53e8ab4eff4f50ba3b40a670c4080b353f42838a347126ed2c8da4	\N
recorded	node	cond_quality	0	33	4	{"status": "completed"}	\\x9775cc77ce4151d1e36df2f4ca2278deb0d8e0a3b536b4841f5f09a709432fb2	\N
recorded	node	n_accept	0	34	4	{"status": "completed"}	\\x9775cc77ce4151d1e36df2f4ca2278deb0d8e0a3b536b4841f5f09a709432fb2	\N
recorded	context	n_revise	-1	35	2	{"live": 2, "next": 2}	\\x34e5bda2531b66cc3208f8a5e2aef491f28ec3fe9a9969ee7e2addaaec252598	\N
recorded	context	n_revise	1	35	1	{"result": ""}	\\xb58b8db1e7aee3f48301c5af55c5a2dbee55dbe86c0f4f649d7ac2cab56937f6	\N
recorded	node	n_revise	0	35	4	{"status": "completed"}	\\x9775cc77ce4151d1e36df2f4ca2278deb0d8e0a3b536b4841f5f09a709432fb2	\N
recorded	variable	draft_round	0	35	3	"2"	\\xd82be58fb86af7e57e679afc15754140135569c1572707065bcd6b6557cff972	\N
recorded	variable	history	0	35	3	"[{'section': 'Background', 'round': 1, 'confidence': 0.54, 'chars': 266}, {'section': 'Background', 'round': 2, 'confidence': 0.58, 'chars': 332}]"	\\x546fd8f1fab54c9f3c000422ceca40de32c49195a84d7dc0c7b0f8836af6a1d8	\N
recorded	variable	metrics	0	35	4	"{'accepted': 0, 'revised': 2, 'by_section': {}}"	\\xa9a91100c3ebc17e2239c75cd9633f5c9d185094173fd1a70f4c1eb5e1efc17a	\N
recorded	variable	revisions	0	35	3	"2"	\\xd82be58fb86af7e57e679afc15754140135569c1572707065bcd6b6557cff972	\N
recorded	variable	total_chars	0	35	3	"598"	\\x1ca850dfa521c10a55c1daab7b4f4aae954283076ebb56447c1f950abf8a8efb	\N
recorded	engine	skip_nodes	0	36	5	[]	\\xd53d18c23212ea7b6300594bb89bce60218f6eff2b9d628b8cc42d3e79bbd5ab	\N
recorded	loop	loop_rounds	0	36	3	{"index": 2}	\\x32e2e10f36e9e2c4362c12622c60afb3ab585b218f2a5c6e5aeda54317a53476	\N
recorded	node	n_draft	0	37	5	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556	\N
recorded	node	cond_quality	0	38	5	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556	\N
recorded	node	n_accept	0	39	5	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556	\N
recorded	node	n_revise	0	40	5	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556	\N
recorded	context	n_draft	-1	42	3	{"live": 3, "next": 3}	\\x3aa82352685f02e2e1815eae763a214b6611d9add4d3bf449bffefeaafddfa77	\N
recorded	context	n_draft	2	42	1	{"result": "Message generated!"}	\\x848e98a166cdce789c013d1e21a1884a0e4f02b9589197075979f8c88f2dc5ee	\N
recorded	node	n_draft	0	42	6	{"status": "completed"}	\\x9775cc77ce4151d1e36df2f4ca2278deb0d8e0a3b536b4841f5f09a709432fb2	\N
recorded	variable	confidence	0	42	4	"0.62"	\\xe11c4d68b81f6430e9d7c4b19eb8f2ea807d2fa599ae25e4992c5681f6a3e0ae	\N
recorded	variable	draft	0	42	5	"'Section draft 3: The retrieved figures support the claim with moderate confidence. The retrieved figures support the claim with moderate confidence. {\\"confidence\\": 0.62, \\"summary\\": \\"draft 3 reviewed\\"}'"	\\xcaa3053057010f53ea3ff867338b90aebaadb540cb4a0a609bc31994fdb52ded	\N
recorded	context	cond_quality	-1	44	3	{"live": 3, "next": 3}	\\x3aa82352685f02e2e1815eae763a214b6611d9add4d3bf449bffefeaafddfa77	\N
recorded	context	cond_quality	2	44	1	{"result": "Passed Connection Index: 2", "condition_child": ["Passed Condition Index: 2"]}	\\x4d5b11c62295825ef9260b80fe26ff293ba76a5823256f04eb6291771ce8e54e	\N
recorded	engine	skip_nodes	0	44	6	["n_accept"]	\\xe024f68cab53e8ab4eff4f50ba3b40a670c4080b353f42838a347126ed2c8da4	\N
recorded	node	cond_quality	0	44	6	{"status": "completed"}	\\x9775cc77ce4151d1e36df2f4ca2278deb0d8e0a3b536b4841f5f09a709432fb2	\N
ver/sions	variable	a	0	1	1	1.00	\\x31aa720a6fc3d41cef475b90f33415b14d8dd2cf0a547ac4eef7f314411d79bf	\N
ver/sions	variable	list	0	1	1	[]	\\xd53d18c23212ea7b6300594bb89bce60218f6eff2b9d628b8cc42d3e79bbd5ab	\N
ver/sions	variable	ünï	0	1	1	{"x": null}	\\x01f427244c5b11ee0bda4749a9057a309db0849a65b7f1e9b16762cba211d9d5	\N
ver/sions	variable	n	0	2	1	0	\\x4d067153ac729a4a7e8220c97935ffba67487860d58298ceeb23864369867d9f	\N
ver/sions	variable	list	0	3	2	["entry 0"]	\\x0ea60082ac19c5225dac7f8d0ec55494b9cb8e3a7c08fd7617f011c8c23a29f4	\N
ver/sions	variable	n	0	3	2	1	\\xd63bd9a826af91c1fea371965a64e11ee20f13e46b5f52c59901136605b3a487	\N
ver/sions	variable	list	0	4	3	["entry 0", "entry 1"]	\\x859995574a540c67a37aa33f194a25c94e4ab14fc956602a1354751c418e5597	\N
ver/sions	variable	n	0	4	3	2	\\x813e9b729141e7f385afa0a2d0df3e6c3789e427ffe4aeef566a565bc8f2fe3d	\N
ver/sions	variable	list	0	5	4	["entry 0", "entry 1", "entry 2"]	\\xefebf378fdc7bcbcb28d3c4ea948f81146caf3d0413cbd677f7c89932b3bd5ee	\N
ver/sions	variable	n	0	5	4	3	\\x58d6fd3dc609068615d66b6a2616cce521e6bd49bbcd7854e3f2573b142c6637	\N
ver/sions	variable	list	0	6	5	["entry 0", "entry 1", "entry 2", "entry 3"]	\\x3a2fcada042912d9ede6592cc1f44109acfcf487d01f5725ca7197ac27a527b7	\N
ver/sions	variable	n	0	6	5	4	\\xe67a9c4536256f1ec7495a146b5442fa7c0ed99e258a08260a4a244fa31c7c61	\N
ver/sions	variable	list	0	7	6	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4"]	\\x0a3ea35e50a1717466d1a5fa7c027639e88fd89fb54906e4fc2c1017f7f35e11	\N
ver/sions	variable	n	0	7	6	5	\\xb3372b584dc0df6ce757fa43f459ca1f0c4180a08762cbfa41d022ca24f63d9f	\N
ver/sions	variable	list	0	8	7	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5"]	\\x96ebadb206f775e8cb096047f76d9f88d46de9e02f494c058cd3a2b0c8eada25	\N
ver/sions	variable	n	0	8	7	6	\\xb748b4ebf53795686930b718fd46066df65694e910c9e647cd56c2b081b95732	\N
ver/sions	variable	list	0	9	8	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6"]	\\xd5ae4a3e0a9bbdc3ce77df193e2f1167e4cf7c253b008d65cbd926d3ade8d69b	\N
ver/sions	variable	n	0	9	8	7	\\x22f36339ae3058eeaf19a52949cfb9eb0a6bf4c21c05b6191ae4a19c8a93de4b	\N
ver/sions	variable	list	0	10	9	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7"]	\\xb9ed8f2326402c589e5fee37cfe4c4077d58f96d0bacf77321aa7d14b9d39045	\N
ver/sions	variable	n	0	10	9	8	\\x658325b1f32c8396999ae42cb87c35f3ed342e89c125cc5d2fa194e772da0eb8	\N
ver/sions	variable	list	0	11	10	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8"]	\\xced5dfa2b2bf72787c9bb2af36e4706b194d60bafbd607e7f7e87c849e140d4b	\N
ver/sions	variable	n	0	11	10	9	\\x026ed82c4fff0dc3c84dc96cf999e00578522d5f7c16921808de90a01745d66b	\N
ver/sions	variable	list	0	12	11	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9"]	\\x8ffcd798e771a838825280bc057234017e4eb0235d495ea4902414c4bb3cf3ad	\N
ver/sions	variable	n	0	12	11	10	\\x5f9c182710334343eddf6aec554609f64d1223e3cb0c0c9863a27cdeabd6c916	\N
ver/sions	variable	list	0	13	12	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10"]	\\x7b162878c86dba19ecab3e97fed8d932f8fbb6162ac7b61433d4ee921e94af01	\N
ver/sions	variable	n	0	13	12	11	\\xc8400ea7a023c7fd1d766164129539e0fc0e9b20d4abd005734e52f47856287f	\N
ver/sions	variable	list	0	14	13	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11"]	\\x40f9fcd210786f35c5826612b9d7e1786f5d4a443afad40aee25ec45ef4d7543	\N
ver/sions	variable	n	0	14	13	12	\\xb944a0a3b20cf5927e594ff306d256d16cd5b0ba3e27b3285f40d7ef5e19695b	\N
ver/sions	variable	list	0	15	14	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12"]	\\x81f8afd709219876b69ceac0c4d6fdceeaeba5fab7653630f5d9ecb7ed1137bb	\N
ver/sions	variable	n	0	15	14	13	\\xc8025765f876f1a74e6b9978ced598853cb890b2a6d36a05c799133af81c7f81	\N
ver/sions	variable	list	0	16	15	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13"]	\\x1f5af2ae1191a1819cfbe1f8863d7ee23af12b438767a0a04b44e01aca8a99e7	\N
ver/sions	variable	n	0	16	15	14	\\x16628363c4c13600343778f96ddfb650e498df2a8e0d3a8b4dc4d4aa5c5720fe	\N
ver/sions	variable	list	0	17	16	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14"]	\\x7634e4c015cb9b1625c5e085494fc4854617466d33ab90e2b1abcff7f7f8e8db	\N
ver/sions	variable	n	0	17	16	15	\\xb3ea367bacb27dd8248220c8bd6e0450464312a754e253dddf741a8e10c6290b	\N
ver/sions	variable	list	0	18	17	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15"]	\\x7d2526f33f7ed70d60865280ba29aca05fea2fa872f928fba72e5ab9c5eacabe	\N
ver/sions	variable	n	0	18	17	16	\\xe3c954e0738a0579b86d3857ca918560982e299c040edcd9342f1b566ce976c3	\N
ver/sions	variable	list	0	19	18	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15", "entry 16"]	\\x4816db46169b84d0b6acd148aa0920201035602c8311290104e048169386467c	\N
ver/sions	variable	n	0	19	18	17	\\x2bc7ef5f44f1bad1562c1d40d45195f5102d690a302cadab32ff8fd8ebf420df	\N
ver/sions	variable	list	0	20	19	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15", "entry 16", "entry 17"]	\\xfa439ebd6bda87d4bec761e74c49c3c1e0d170ca1ddbb574a47effd11319f7f0	\N
ver/sions	variable	n	0	20	19	18	\\x0be1d691ae9763d9d8c5d31ad8da73d1a15f0f34ae18c1d1da5b9acff7d9f509	\N
ver/sions	variable	list	0	21	20	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15", "entry 16", "entry 17", "entry 18"]	\\x0702b71dba4828704ad1261db93bb314c4c3f2a304fef77ea53871b83e398efc	\N
ver/sions	variable	n	0	21	20	19	\\x23e1d1029614e86c0e8791ee223a0ffdc1a3a2e3474c66e1db41e1e34a47c46f	\N
ver/sions	variable	list	0	22	21	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15", "entry 16", "entry 17", "entry 18", "entry 19"]	\\x6cfdbca0de6cf617b8836131636398d0e8e57825a611c16648b79d093aefe431	\N
ver/sions	variable	n	0	22	21	20	\\x49a94f2e783c9c041bbc22abf96fb408e6988c5d0abae75ebf1dd17d6b9bcc2d	\N
ver/sions	variable	list	0	23	22	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15", "entry 16", "entry 17", "entry 18", "entry 19", "entry 20"]	\\x5294267b76dffba13aa3759a5fa0abf28fa497d7d5c9acff047555647fc3bc91	\N
ver/sions	variable	n	0	23	22	21	\\x300843051147a342bc6e6caac68b1b285a1988e9045c5640699ee68f630c4865	\N
ver/sions	variable	list	0	24	23	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15", "entry 16", "entry 17", "entry 18", "entry 19", "entry 20", "entry 21"]	\\xade45e0b08a2ddc41fc7eb47b1261cfdb78f2ebf4441bb902de920f4794fff79	\N
ver/sions	variable	n	0	24	23	22	\\x93aed7df61cdeed8cb721d46dbbf3013f7dc4e4fa35807d3e61a0fa66fe8633a	\N
ver/sions	variable	list	0	25	24	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15", "entry 16", "entry 17", "entry 18", "entry 19", "entry 20", "entry 21", "entry 22"]	\\x116852c994b0b67ff83ec33f0f10568f255d20fa372f9623c46063ea2f6577f8	\N
ver/sions	variable	n	0	25	24	23	\\xe0812c6818e340abbe3c63cce5c52cacb70758c0c002cf1a85bc3c9a806ef522	\N
ver/sions	variable	list	0	26	25	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15", "entry 16", "entry 17", "entry 18", "entry 19", "entry 20", "entry 21", "entry 22", "entry 23"]	\\xa50d2b3085ef79eab5f762b23a3e88b3e05e9b6893ebc0b1eca8d7fc8afd249e	\N
ver/sions	variable	n	0	26	25	24	\\x6a7b6375ca1f6d60c0f9f8a177adcc48c88cd62101cfa9e7dbb1599e3b203d68	\N
ver/sions	variable	list	0	27	26	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15", "entry 16", "entry 17", "entry 18", "entry 19", "entry 20", "entry 21", "entry 22", "entry 23", "entry 24"]	\\xa8e69d2b6efa281c09b3a187a0da7e4076ed3bf670c0ac4a06a15c5626669156	\N
ver/sions	variable	n	0	27	26	25	\\x2f5e21db4cb91f97306552744f56112a6c3ab1549838a59fd4b36c5e52470994	\N
ver/sions	variable	list	0	28	27	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15", "entry 16", "entry 17", "entry 18", "entry 19", "entry 20", "entry 21", "entry 22", "entry 23", "entry 24", "entry 25"]	\\x1ca9b17478fa8a61ad5afa4391e4d52ddfe0fe8af9f91099a2bab527e01b23df	\N
ver/sions	variable	n	0	28	27	26	\\xc37a669e2897d1a677ec1e7c52672758fa9f0e6baa8104bb0280130322ff2b32	\N
ver/sions	variable	list	0	29	28	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15", "entry 16", "entry 17", "entry 18", "entry 19", "entry 20", "entry 21", "entry 22", "entry 23", "entry 24", "entry 25", "entry 26"]	\\x705d22b6e01b82676167584020311c5bbf32503ed1d67b540bd7412909472182	\N
ver/sions	variable	n	0	29	28	27	\\xc02fc342da3d108f6e726e467252596a6b18e27d2cd99afa7b3a14142ad889d9	\N
ver/sions	variable	list	0	30	29	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15", "entry 16", "entry 17", "entry 18", "entry 19", "entry 20", "entry 21", "entry 22", "entry 23", "entry 24", "entry 25", "entry 26", "entry 27"]	\\x79db2fb773305038881e885bca5ff823ee75e2324baf85f1a102a1ab40e0af91	\N
ver/sions	variable	n	0	30	29	28	\\x6fb53919f931ad2b040f21c9d6d8813cc554dba071fbd14ff85888bf64a27120	\N
ver/sions	variable	list	0	31	30	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15", "entry 16", "entry 17", "entry 18", "entry 19", "entry 20", "entry 21", "entry 22", "entry 23", "entry 24", "entry 25", "entry 26", "entry 27", "entry 28"]	\\xde0ed00ef3cdc8958c8e2a5f9b3ad1ac3bf39f8297cddcad1565fb4abcbf566c	\N
ver/sions	variable	n	0	31	30	29	\\x26ef00fd9555bd7513a82faef1b56c9d1efd61bc84e311e6ed902c79c40602c4	\N
ver/sions	variable	a	0	33	2	\N	\N	\N
ver/sions	variable	ünï	0	33	2	\N	\N	\N
ver/sions	variable	sent	0	34	1	10000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000	\\xfa51c75df231a251dc4eff0dcb1fdb37468f48a1c15ba483c6b1a2c6328afa65	\N
ver/sions	variable	a	0	35	3	1.00	\\x31aa720a6fc3d41cef475b90f33415b14d8dd2cf0a547ac4eef7f314411d79bf	\N
ver/sions	variable	list	0	35	31	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15", "entry 16", "entry 17"]	\\xfa439ebd6bda87d4bec761e74c49c3c1e0d170ca1ddbb574a47effd11319f7f0	\N
ver/sions	variable	n	0	35	31	18	\\x0be1d691ae9763d9d8c5d31ad8da73d1a15f0f34ae18c1d1da5b9acff7d9f509	\N
ver/sions	variable	ünï	0	35	3	{"x": null}	\\x01f427244c5b11ee0bda4749a9057a309db0849a65b7f1e9b16762cba211d9d5	\N
ver/sions	variable	sent	0	35	2	\N	\N	\N
ver/sions	variable	list	0	36	32	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15", "entry 16", "entry 17", "entry 18", "entry 19", "entry 20", "entry 21", "entry 22", "entry 23", "entry 24", "entry 25", "entry 26", "entry 27", "entry 28"]	\\xde0ed00ef3cdc8958c8e2a5f9b3ad1ac3bf39f8297cddcad1565fb4abcbf566c	\N
ver/sions	variable	n	0	36	32	29	\\x26ef00fd9555bd7513a82faef1b56c9d1efd61bc84e311e6ed902c79c40602c4	\N
lists	context	n	-1	1	1	{"live": 12, "next": 12}	\\xa003fbcffa2bdc9adb5ff2ce81bdd7078902614e29310bddf4c424eab8066d43	\N
lists	context	n	0	1	1	"line 0"	\\x6d154e7dd523364388b99f11328f74347c42a9c8550d1169a9f0b3e41075077f	\N
lists	context	n	1	1	1	"line 1"	\\xc25636859f346d1036bfc25584ab1c49f4f2e84f9bcf754284b65670acc2ab06	\N
lists	context	n	2	1	1	"line 2"	\\x2ba13bd69699320d8f9c21ace75cb9bb99375560e6cf24a6af4e9764dcc61cab	\N
lists	context	n	3	1	1	"line 3"	\\xa9467084cd97ff96a136bddce4782215ac4a9931eabd4a4fccb6d30b4363bd30	\N
lists	context	n	4	1	1	"line 4"	\\x9fb4a6cca395efb238b1000f34206f00298582c959bd0424730955593b469270	\N
lists	context	n	5	1	1	"line 5"	\\x5b1e521f744bf7bd6533f1e367aab870c177d82746cdf4365f6f59c44c5b79be	\N
lists	context	n	6	1	1	"line 6"	\\xcc1cbaea6b518990396b5e2fa0af5154beaf318fdf8892c732c5d2cae939846c	\N
lists	context	n	7	1	1	"line 7"	\\x03113f46085fc6ed9a5ca7f9b9c659111acbf88eb57a0c0c8493883251ec1604	\N
lists	context	n	8	1	1	"line 8"	\\xb4c96ae9e3c1dfd3ec2ab1a6e9cfae25ed9ae52e3d5f5d4a8832c0c28d4998e0	\N
lists	context	n	9	1	1	"line 9"	\\x24cb2dc38f2b7079669a7de02cf25f17bf017e8a4ae666d207d7ef2e99dc15fc	\N
lists	context	n	10	1	1	"line 10"	\\x7eba4a7b12febea1ad7647da20c8e954c87969aed9f98ba38fc1274e16c9d53d	\N
lists	context	n	11	1	1	"line 11"	\\x75a00969d17c540010317d093b299717845912e530c4474836222e598685008c	\N
lists	engine	layra.document	0	1	1	["context"]	\\xe10c52dab5f75e5dc6a73604c533b51fbeab8d403fec51184055865aa61d24c1	\N
lists	engine	stack	0	1	1	[12]	\\x858db62456b51f1ac0a9d0281b0da5058f39a847c4b571a13290f370f6fea336	\N
lists	context	n	-1	2	2	{"live": 7, "next": 7}	\\x5f75d75d83be737f9cface1b1af1c86b0132761145c71431aec47258c1a79b58	\N
lists	context	n	7	2	2	\N	\N	\N
lists	context	n	8	2	2	\N	\N	\N
lists	context	n	9	2	2	\N	\N	\N
lists	context	n	10	2	2	\N	\N	\N
lists	context	n	11	2	2	\N	\N	\N
lists	engine	stack	0	2	2	[7]	\\x198d53dc20198248f6bac5f95ea8994f0eec64fceb8f4e905accd3a149005ec3	\N
lists	context	n	-1	3	3	{"live": 9, "next": 9}	\\xea4355cb53e35d03e08ecbb81807a9438a78a3bf843d7558e8238054ee97fa1d	\N
lists	context	n	7	3	3	"line 7"	\\x03113f46085fc6ed9a5ca7f9b9c659111acbf88eb57a0c0c8493883251ec1604	\N
lists	context	n	8	3	3	"line 8"	\\xb4c96ae9e3c1dfd3ec2ab1a6e9cfae25ed9ae52e3d5f5d4a8832c0c28d4998e0	\N
lists	engine	stack	0	3	3	[9]	\\xa74496593ca5089748bcc2f517976c29c3946acedbe8d2ce32ce4067e76b5ea6	\N
lists	context	n	-1	4	4	{"live": 0, "next": 0}	\\x9db3be59a086179f9560508163a3d221be355a0162074e8b1f0ea86d65b5233d	\N
lists	context	n	0	4	2	\N	\N	\N
lists	context	n	1	4	2	\N	\N	\N
lists	context	n	2	4	2	\N	\N	\N
lists	context	n	3	4	2	\N	\N	\N
lists	context	n	4	4	2	\N	\N	\N
lists	context	n	5	4	2	\N	\N	\N
lists	context	n	6	4	2	\N	\N	\N
lists	context	n	7	4	4	\N	\N	\N
lists	context	n	8	4	4	\N	\N	\N
lists	engine	stack	0	4	4	[0]	\\xf36adac1b6935d7ed2caf0bf1fc9d929649249612aafb96be8bd8658ddf1354f	\N
lists	context	n	-1	5	5	{"live": 3, "next": 3}	\\x3aa82352685f02e2e1815eae763a214b6611d9add4d3bf449bffefeaafddfa77	\N
lists	context	n	0	5	3	"line 0"	\\x6d154e7dd523364388b99f11328f74347c42a9c8550d1169a9f0b3e41075077f	\N
lists	context	n	1	5	3	"line 1"	\\xc25636859f346d1036bfc25584ab1c49f4f2e84f9bcf754284b65670acc2ab06	\N
lists	context	n	2	5	3	"line 2"	\\x2ba13bd69699320d8f9c21ace75cb9bb99375560e6cf24a6af4e9764dcc61cab	\N
lists	engine	stack	0	5	5	[3]	\\x43df6a5b01facb2f2c45d7ff8bd44eab10fe3e816774a757d585117c85fbe81d	\N
parent	variable	a	0	1	1	1	\\xd63bd9a826af91c1fea371965a64e11ee20f13e46b5f52c59901136605b3a487	\N
parent	variable	a	0	2	2	2	\\x813e9b729141e7f385afa0a2d0df3e6c3789e427ffe4aeef566a565bc8f2fe3d	\N
child	variable	a	0	1	1	2	\\x813e9b729141e7f385afa0a2d0df3e6c3789e427ffe4aeef566a565bc8f2fe3d	\N
grandchild	variable	a	0	1	1	2	\\x813e9b729141e7f385afa0a2d0df3e6c3789e427ffe4aeef566a565bc8f2fe3d	\N
grandchild	variable	b	0	2	1	3	\\x58d6fd3dc609068615d66b6a2616cce521e6bd49bbcd7854e3f2573b142c6637	\N
defined	engine	layra.graph	0	1	1	{"hash": "3c2fdcb8ae144e69127a598785a57d5c601eb079d07ec2dad606d0d1855237ac", "owner": "release_alice"}	\\x34631edc8a99f04b52f3257dc2689565071bbf7f49bbfd77a52ab646b17e660b	\N
defined	variable	total	0	1	1	0	\\x4d067153ac729a4a7e8220c97935ffba67487860d58298ceeb23864369867d9f	\N
defined	variable	total	0	2	2	12.50	\\xa9dc2dce710ca5549ff59e39275664474bbb830c772c05d73da6c8aa5204431f	\N
of shared	engine	layra.graph	0	1	1	{"hash": "3c2fdcb8ae144e69127a598785a57d5c601eb079d07ec2dad606d0d1855237ac", "owner": "release_alice"}	\\x34631edc8a99f04b52f3257dc2689565071bbf7f49bbfd77a52ab646b17e660b	\N
of shared	variable	total	0	1	1	0	\\x4d067153ac729a4a7e8220c97935ffba67487860d58298ceeb23864369867d9f	\N
at work	engine	layra.graph	0	1	1	{"hash": "3f97bc0876890987cb2ee1bdbb05208107cb5ff3bff4cacc3e0070a7c49e9db4", "owner": "release_alice"}	\\xfb95200f0a294636f7b17117f063f0db2178a195bed1679cb161dfc7a5d92140	\N
at work	variable	total	0	1	1	0	\\x4d067153ac729a4a7e8220c97935ffba67487860d58298ceeb23864369867d9f	\N
at work	node	s	0	2	1	{"leased": true, "status": "running", "worker": "w1", "attempt": 1}	\\x2d07ec034c68e9884315fa64a59540a6b4db341d7629da34a1332c3da29fc62b	\N
at work	context	s	-1	3	1	{"live": 1, "next": 1}	\\xcaeaebf9672ad5f1aa37c29d54558d8d1bff93a5e91514700662f4219d59926f	\N
at work	context	s	0	3	1	{"out": 1}	\\x531309a7654cb7172136a9d1b325e6b0873ea0306d07b7d04467c1576e3ac2fd	\N
at work	node	s	0	3	2	{"output": 0, "status": "completed", "worker": "w1", "attempt": 1}	\\xcfd83a4c44665fe8a2310f2f4db6a5023ef9daefd841fde00644cae67cf176b8	\N
at work	variable	total	0	3	2	3	\\x58d6fd3dc609068615d66b6a2616cce521e6bd49bbcd7854e3f2573b142c6637	\N
at work	node	e	0	4	1	{"leased": true, "status": "running", "worker": "w2", "attempt": 1}	\\xa4d545fd20186a3387ce3527c9c8352a185a18a817401022889ce6ba0b80c796	\N
at work	node	e	0	5	2	{"error": {"error": "x"}, "status": "failed", "worker": "w2", "attempt": 1}	\\x2ba0094a26e504e9b605a7eb53a6dbe8a199658220af19bef95775b5f818820f	\N
at work	node	e	0	6	3	{"leased": true, "status": "running", "worker": "w2", "attempt": 2}	\\xfa8ac801d8bb9c1d226b647092cbe6aed9f9e6f95646646e7fb662908f631d93	\N
looping	loop	l	0	2	1	{"max": 3, "index": -1, "active": true}	\\x4097b3efefb3fd59ae2ac43dde1651ca74ecc24c0f11206e43b44293f609e0fc	\N
looping	loop	l	0	3	2	{"max": 3, "index": 0, "active": true}	\\x5961fd6627e52a41cc58e01addbe651c15c6f1f04738d925797e288e33a2c519	\N
at work	engine	execution_stack	0	7	1	["e"]	\\x630e02c5bc374ede547e5f5ca08f8ff614bf7d430866d10dde8e5d602731cc93	\N
at work	variable	total	0	9	3	4	\\xe67a9c4536256f1ec7495a146b5442fa7c0ed99e258a08260a4a244fa31c7c61	\N
\.


--
-- Data for Name: checkpoint; Type: TABLE DATA; Schema: layra; Owner: -
--

COPY layra.checkpoint (run_id, version, kind, label, protected, metadata, created_at) FROM stdin;
ver/sions	32	manual	mark	t	{}	2026-11-28 02:34:56.788501+00
at work	8	human	interaction 9dc8e4ff-1c95-4693-ad8b-276a821cec5a	t	{}	2026-11-28 02:34:56.915513+00
at work	10	human	interaction fe67df2e-9a94-4c11-aedf-3afc1f54c3e1	t	{}	2026-11-28 02:34:56.933224+00
\.


--
-- Data for Name: event; Type: TABLE DATA; Schema: layra; Owner: -
--

COPY layra.event (run_id, version, type, payload, payload_hash, changed, cells_hash, actor, on_behalf_of, at, idempotency_key, checkpoint_kind, checkpoint_label, hash, xact, bytes_since_checkpoint, checkpoint_version) FROM stdin;
recorded	1	state.saved	{"owner": "release_alice", "metadata": {}}	\\x9912479fe58caba7a67975471909a58bb411b80d493d492f7dc825c2d2bbec01	{engine/execution_stack,engine/layra.document,engine/layra.graph,engine/skip_nodes,node/cond_quality,node/loop_rounds,node/loop_sections,node/n_accept,node/n_draft,node/n_final,node/n_init,node/n_plan,node/n_review,node/n_revise,node/node_start,variable/accepted,variable/approved,variable/confidence,variable/current_section,variable/draft,variable/draft_round,variable/feedback,variable/history,variable/hits,variable/metrics,variable/progress,variable/report,variable/report_title,variable/review,variable/revisions,variable/section_index,variable/sections,variable/threshold,variable/total_chars}	\\xa739dbfab65058c4e6d06dac9d5a0c9a23f37947d1a3b3bfcfb85388596f2c4c	release_alice	\N	2026-11-28 02:34:56.622432+00	\N	\N	\N	\\x36a6078bf601085e5da3d0dda3ba4ac89ae50c142ef510ada2be942a5a47785f	735	530	\N
recorded	2	engine.event	{"node": "node_start", "type": "node", "error": "", "result": "\\"\\"", "status": "1", "variables": "{\\"report_title\\": \\"\\", \\"sections\\": \\"[]\\", \\"section_index\\": \\"0\\", \\"current_section\\": \\"\\", \\"hits\\": \\"[]\\", \\"draft\\": \\"\\", \\"draft_round\\": \\"0\\", \\"confidence\\": \\"0.0\\", \\"threshold\\": \\"0.7\\", \\"accepted\\": \\"[]\\", \\"revisions\\": \\"0\\", \\"feedback\\": \\"\\", \\"total_chars\\": \\"0\\", \\"history\\": \\"[]\\", \\"metrics\\": \\"{}\\", \\"progress\\": \\"0.0\\", \\"review\\": \\"\\", \\"approved\\": \\"False\\", \\"report\\": \\"{}\\"}", "create_time": "2026-11-23 11:58:28.107929+08:00"}	\\x9fcc678c8d76a27c6857037442f6518e704bb14676a58b902362683ea8a59b26	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-28 02:34:56.628278+00	e1	\N	\N	\\xb6bdce6cb73cb2f7b3cd04a19b84c7e91a70da2b42f2d390ebac2d94511bc3bb	736	1105	\N
recorded	3	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{node/node_start}	\\xd736b569d730cb8012aa1c0a65e0b9adb6ba2ea354839addf625e7f2b3b1a464	release_alice	\N	2026-11-28 02:34:56.629377+00	\N	\N	\N	\\x98a4fd7a8202f9b07b51a2822de69f279559e99aa29b1bfea0ad78e08b887918	737	1130	\N
recorded	4	engine.event	{"node": "n_init", "type": "node", "error": "", "result": "\\"\\"", "status": "running", "variables": "{\\"report_title\\": \\"\\", \\"sections\\": \\"[]\\", \\"section_index\\": \\"0\\", \\"current_section\\": \\"\\", \\"hits\\": \\"[]\\", \\"draft\\": \\"\\", \\"draft_round\\": \\"0\\", \\"confidence\\": \\"0.0\\", \\"threshold\\": \\"0.7\\", \\"accepted\\": \\"[]\\", \\"revisions\\": \\"0\\", \\"feedback\\": \\"\\", \\"total_chars\\": \\"0\\", \\"history\\": \\"[]\\", \\"metrics\\": \\"{}\\", \\"progress\\": \\"0.0\\", \\"review\\": \\"\\", \\"approved\\": \\"False\\", \\"report\\": \\"{}\\"}", "create_time": "2026-11-23 11:58:28.108347+08:00"}	\\x58a98d9d6b3a29a37a62c11c923db1cf3fc10836337e27fa9d7d62bd59a21a2a	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-28 02:34:56.63026+00	e2	\N	\N	\\xbd144cd301d72b4ac6d12da0d6837a14911e8fbb9d9c078208fc45f4ca9a5a0e	738	1707	\N
recorded	5	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-28 02:34:56.631119+00	\N	\N	\N	\\x2e35fe8615fc93b8090773f06f90cfdbe8f7890079277688a85d6dbe735fcb3e	739	1709	\N
recorded	6	engine.event	{"node": "n_init", "type": "node", "error": "", "result": "[{\\"result\\": \\"\\"}]", "status": "1", "variables": "{\\"report_title\\": \\"'Quarterly retrieval audit'\\", \\"sections\\": \\"['Background', 'Method', 'Results']\\", \\"section_index\\": \\"0\\", \\"current_section\\": \\"''\\", \\"hits\\": \\"[]\\", \\"draft\\": \\"''\\", \\"draft_round\\": \\"0\\", \\"confidence\\": \\"0.0\\", \\"threshold\\": \\"0.7\\", \\"accepted\\": \\"[]\\", \\"revisions\\": \\"0\\", \\"feedback\\": \\"''\\", \\"total_chars\\": \\"0\\", \\"history\\": \\"[]\\", \\"metrics\\": \\"{'accepted': 0, 'revised': 0, 'by_section': {}}\\", \\"progress\\": \\"0.0\\", \\"review\\": \\"''\\", \\"approved\\": \\"False\\", \\"report\\": \\"{}\\"}", "create_time": "2026-11-23 11:58:28.129832+08:00"}	\\x35362a502aaa05c11d5323acc786ac106c5681e18e80faee5894c4caa0e9d1b7	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-28 02:34:56.631891+00	e3	\N	\N	\\xa868249546d5ab2060dfb8460ba598f30788c2be5b350e6a594d15ee6fdce0bd	740	2409	\N
recorded	7	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{context/n_init/-1,context/n_init/0,node/n_init,variable/current_section,variable/draft,variable/feedback,variable/metrics,variable/report_title,variable/review,variable/sections}	\\x28625bc0328379004a541f1b3d5cfa1ab282386d6daf9e06c7e4849d601d99d4	release_alice	\N	2026-11-28 02:34:56.632685+00	\N	\N	\N	\\xaefe6a028d0c522702827c5fc898c2ef91518ef18a858282921a7234a33b425b	741	2601	\N
recorded	8	engine.event	{"node": "loop_sections", "type": "node", "error": "", "result": "\\"\\"", "status": "running", "variables": "{\\"report_title\\": \\"'Quarterly retrieval audit'\\", \\"sections\\": \\"['Background', 'Method', 'Results']\\", \\"section_index\\": \\"0\\", \\"current_section\\": \\"''\\", \\"hits\\": \\"[]\\", \\"draft\\": \\"''\\", \\"draft_round\\": \\"0\\", \\"confidence\\": \\"0.0\\", \\"threshold\\": \\"0.7\\", \\"accepted\\": \\"[]\\", \\"revisions\\": \\"0\\", \\"feedback\\": \\"''\\", \\"total_chars\\": \\"0\\", \\"history\\": \\"[]\\", \\"metrics\\": \\"{'accepted': 0, 'revised': 0, 'by_section': {}}\\", \\"progress\\": \\"0.0\\", \\"review\\": \\"''\\", \\"approved\\": \\"False\\", \\"report\\": \\"{}\\"}", "create_time": "2026-11-23 11:58:28.130240+08:00"}	\\xbe636b01b37669417242ae4e930fb79d7c15031ded1fcbcee19113e4fa5e2525	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-28 02:34:56.633468+00	e4	\N	\N	\\x653c2399ddcf923426a42a0212e58e20dd73d3a2bfa556ea7c44780ea4e997a3	742	3298	\N
recorded	9	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-28 02:34:56.637074+00	\N	\N	\N	\\x3ffd3dd6bb27853818f1c58a3a376f26ecd10105b73afc5f9fca01b8997ce770	743	3300	\N
recorded	10	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{loop/loop_sections}	\\x1b4e1e03762c481445a6abc705713e8897822f9b57b0264a03e31088e4c0faa5	release_alice	\N	2026-11-28 02:34:56.638984+00	\N	\N	\N	\\x8a85ca3677ade90b82052ca15fa29eddc481a3bf03719d27daf8a114b778db31	744	3314	\N
recorded	11	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-28 02:34:56.643948+00	\N	\N	\N	\\x6ab187677ce9dd48e75a42f631a3567813d741170fa4d6900b16cbd762f449ea	745	3316	\N
recorded	12	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-28 02:34:56.645945+00	\N	\N	\N	\\xf7dd862b2a78ba28498cf655eb7de0331b3f0bb551b2af3a824c617892cca057	746	3318	\N
recorded	13	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{context/n_plan/-1,context/n_plan/0,node/n_plan,variable/current_section,variable/hits,variable/section_index}	\\xe2a6c95b42ba4d44835370df359baebc5cdd6aab784e73bd50bb2a797aa53e89	release_alice	\N	2026-11-28 02:34:56.64714+00	\N	\N	\N	\\x83728966c43d1ce937fa8c33394b6404e3eb8fb622557b37aa74e6d2c6533fdd	747	3612	\N
recorded	14	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-28 02:34:56.65036+00	\N	\N	\N	\\xa0d9c8779818f0d83a23564d69f92f845e6362a43ae3609c1e0c6c55d8c85e37	748	3614	\N
recorded	15	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{loop/loop_rounds}	\\xc35346baddb3f4be1a096621edb6e0edd9e4d274fc5b1fcaea6f4844fc68a1f0	release_alice	\N	2026-11-28 02:34:56.65515+00	\N	\N	\N	\\x0a167ea55f3e12236f1ce914b00466fabc5b3eca5903054df08e57545f2093c3	749	3628	\N
recorded	16	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-28 02:34:56.65871+00	\N	\N	\N	\\x677822768e7e16618630321b34bb7a72bf4cd6a42fdc84efc3bf1e8e8b9638ec	750	3630	\N
recorded	17	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-28 02:34:56.660679+00	\N	\N	\N	\\x007b1cc8bcc37692df0206d133c071001aeb3b6273fe43b54731f36c537daa2b	751	3632	\N
recorded	18	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-28 02:34:56.665394+00	\N	\N	\N	\\xbb2fc793352a434048387226a028337da9fe1cc00fe19fb18fcac6b90ef7ff64	752	3634	\N
recorded	19	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-28 02:34:56.666698+00	\N	\N	\N	\\x6a93bceda0a6d2f03cd9b0feffa1e35da56c72fd98577bf4c926bac5da953aee	753	3636	\N
recorded	20	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{context/n_draft/-1,context/n_draft/0,node/n_draft,variable/confidence,variable/draft}	\\x954f473950181badf1dfacdfe82dc54b13bfb21332a48c82b50cf43563f63fb0	release_alice	\N	2026-11-28 02:34:56.675773+00	\N	\N	\N	\\x6cf0bdb6037a0a7a5edc768b549b54596551476f66f04ee5bb5f137ca564c642	754	3997	\N
recorded	21	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-28 02:34:56.681852+00	\N	\N	\N	\\x3bee9e6046fe05de624fe8abb49a43819b306c68bab6a60fc2971498ae76100a	755	3999	\N
recorded	22	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{context/cond_quality/-1,context/cond_quality/0,engine/skip_nodes,node/cond_quality}	\\x8f458982e851a77d9e116831444b7e0e8012c4e62e78d8e4a8cf96eab410a8d6	release_alice	\N	2026-11-28 02:34:56.683257+00	\N	\N	\N	\\x320bd4372158eb736eac164a86679fcbc2cd03fc201a0f6498918bc85ee07cf5	756	4148	\N
recorded	23	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{node/n_accept}	\\x1c5f347e018e356bbd3e3f873dac5f852fbd0afcc85cf94374d30e0f6a6d2c6a	release_alice	\N	2026-11-28 02:34:56.685314+00	\N	\N	\N	\\x1b3d14709277b25fe44c26ae760ecd767d9679138bad83396e4d5f34e9510ebb	757	4173	\N
recorded	24	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{context/n_revise/-1,context/n_revise/0,node/n_revise,variable/draft_round,variable/feedback,variable/history,variable/metrics,variable/revisions,variable/total_chars}	\\xa27a4560406f68f5a366156d9c9f1c4a38c6173af0d9913c516e8fcf090e682b	release_alice	\N	2026-11-28 02:34:56.686522+00	\N	\N	\N	\\x8beec966057d590ad12464a7c446eb47b054c718c51a044480c384549677cac9	758	4399	\N
recorded	25	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{engine/skip_nodes,loop/loop_rounds}	\\x94205afc46824fce1695521dea2047356d865a1e68515cf920231f51bee0eb99	release_alice	\N	2026-11-28 02:34:56.68789+00	\N	\N	\N	\\x5afe23287acd00b71befe763fde8108a305a17e0e1032efbb9aa509955ca234d	759	4415	\N
recorded	26	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{node/n_draft}	\\x8364cc5f4ec7a63715b33023acc7349af4e91380ffd9c15aff8b1f220f3fdf02	release_alice	\N	2026-11-28 02:34:56.691826+00	\N	\N	\N	\\xa42803106005c13cd43e0c50bbc651390a57bcbe985ec1162fef41d9667b6a54	760	4438	\N
recorded	27	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{node/cond_quality}	\\x0265e29f76df1cc0f854bcf43333cda3418ca2b4c5019bc6be017b862ade3837	release_alice	\N	2026-11-28 02:34:56.693208+00	\N	\N	\N	\\x54bdda9170e260933599f9f59725819bad3ab7d7099d20f6aa68ef92f7be10df	761	4461	\N
recorded	28	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{node/n_accept}	\\x891e6e4bf0d09c3801ded41d480084c08b7eb900e2d9d6f685f088ce36ca3f55	release_alice	\N	2026-11-28 02:34:56.69454+00	\N	\N	\N	\\x24eb89634ccb6c55120f90434117c4c9856b806845cf8cfe342f997ceeb8a735	762	4484	\N
recorded	29	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{node/n_revise}	\\xdfc831b07e5e07fd764da8471965a5e7100e5628d2609d466e19d2d57a4cee0f	release_alice	\N	2026-11-28 02:34:56.695866+00	\N	\N	\N	\\xaa3300d9518d5a2e42be9c9f86a411ac2eb3b9d4c71ddf80b814bb17ecf7d542	763	4507	\N
recorded	30	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-28 02:34:56.697108+00	\N	\N	\N	\\x0b0c36b3715d99c718f50e6a4bb64925a6f860f22c3a2cda6d3e3fff5a7fd760	764	4509	\N
recorded	31	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{context/n_draft/-1,context/n_draft/1,node/n_draft,variable/confidence,variable/draft}	\\x9eb0f081a73aaf674f2da316e843c160ee4757626b11f1cbacc0061664ca00a7	release_alice	\N	2026-11-28 02:34:56.69851+00	\N	\N	\N	\\x69e82520be3ba0099f459fbb604e792f87724e2609309dfef4d49d1c2a175cc1	765	4936	\N
recorded	32	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-28 02:34:56.700026+00	\N	\N	\N	\\x04747498d8fcf312da36957e956cd43936b95b9285b824c694c2007f1a6f6284	766	4938	\N
recorded	33	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{context/cond_quality/-1,context/cond_quality/1,engine/skip_nodes,node/cond_quality}	\\xdbdc28446e8611aa0ebda976eec298d45e814315a246e126a12a01cbd3d335b5	release_alice	\N	2026-11-28 02:34:56.701286+00	\N	\N	\N	\\xc40c5d52007efeb85f7d8d22c5f5c92c472775ebd5e6bafe1b116ad9ee5d1168	767	5087	\N
recorded	34	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{node/n_accept}	\\x1c5f347e018e356bbd3e3f873dac5f852fbd0afcc85cf94374d30e0f6a6d2c6a	release_alice	\N	2026-11-28 02:34:56.703065+00	\N	\N	\N	\\x6d1a01e3348ec58f1477ebdc59625e90fac843be927147655ea37c1f58985cbf	768	5112	\N
recorded	35	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{context/n_revise/-1,context/n_revise/1,node/n_revise,variable/draft_round,variable/history,variable/metrics,variable/revisions,variable/total_chars}	\\x8803535b3b236f80180b799cbb4f60981348091e29ca96b4908e07ca45cf6ea2	release_alice	\N	2026-11-28 02:34:56.704341+00	\N	\N	\N	\\x31b2c3a66a78c5df7f787237e4c3e7df2819f2897f8f9f25a505cc87728adf0a	769	5381	\N
recorded	36	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{engine/skip_nodes,loop/loop_rounds}	\\x6536287fe021d235eadda7f9e0ff40fa746164ed4be1aa38d8cfca56f83b235f	release_alice	\N	2026-11-28 02:34:56.705588+00	\N	\N	\N	\\x82eb7fde7f5c036a1c49610371cb31c902c7068c7b09a191391450bc8329a362	770	5397	\N
recorded	37	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{node/n_draft}	\\x8364cc5f4ec7a63715b33023acc7349af4e91380ffd9c15aff8b1f220f3fdf02	release_alice	\N	2026-11-28 02:34:56.706854+00	\N	\N	\N	\\xc1e9fa78f45090b3cf7a7db26d3e8246f881f48ea9c2872432290aca5edf58db	771	5420	\N
recorded	38	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{node/cond_quality}	\\x0265e29f76df1cc0f854bcf43333cda3418ca2b4c5019bc6be017b862ade3837	release_alice	\N	2026-11-28 02:34:56.708149+00	\N	\N	\N	\\xc73f4ef6fa28c6d06b0e9eb3f510fd20db6454641a6eba6ae1bb375ec8050cbe	772	5443	\N
recorded	39	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{node/n_accept}	\\x891e6e4bf0d09c3801ded41d480084c08b7eb900e2d9d6f685f088ce36ca3f55	release_alice	\N	2026-11-28 02:34:56.709411+00	\N	\N	\N	\\xeceeb74b1ec23027336e00e06c65504ee17f1856459e7af8a5c92b020daed310	773	5466	\N
recorded	40	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{node/n_revise}	\\xdfc831b07e5e07fd764da8471965a5e7100e5628d2609d466e19d2d57a4cee0f	release_alice	\N	2026-11-28 02:34:56.711249+00	\N	\N	\N	\\x44933d7fb621e0c2d941e4b31fb9a3676a7e4786f24d098e2f7d5728556c9b14	774	5489	\N
recorded	41	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-28 02:34:56.714395+00	\N	\N	\N	\\xc75b9a8b0618bacc379e00bad908bf81f44c946841acf2c118ff1fbb0a0348e7	775	5491	\N
recorded	42	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{context/n_draft/-1,context/n_draft/2,node/n_draft,variable/confidence,variable/draft}	\\x93b56e7975341e9ec5ce131de289f777dcf862f9fd20f35343589d9fdaa32ec6	release_alice	\N	2026-11-28 02:34:56.717457+00	\N	\N	\N	\\x0afd45d28db327a6c4942fd9e1ffb8f0e61f51cfaa9ce7a47307d7b01b842a6b	776	5786	\N
recorded	43	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-28 02:34:56.721882+00	\N	\N	\N	\\x2ae83aa5807ec00a05f044c87e5fbaa80c7de462810e48a7e5a9ca44e6b2d843	777	5788	\N
recorded	44	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{context/cond_quality/-1,context/cond_quality/2,engine/skip_nodes,node/cond_quality}	\\x652a17c148bb1cd45dbbf530025309f67b9b51e05e5ba117a4bd87645ad5a10e	release_alice	\N	2026-11-28 02:34:56.724881+00	\N	\N	\N	\\x6cafe4c2ba81d0d97b88838bdddd400ff625337e04ea3d30eed5b607b628e5b5	778	5937	\N
ver/sions	1	run.started	{"owner": "release_alice", "metadata": {"by": "hand"}}	\\x981694e1e826a9fe80f305f3a2218573101f404d3a068fc846156799fd4d140d	{variable/a,variable/list,variable/ünï}	\\x4d8c21ed8e5af034d5aa5619a63a4bd55be10d52729c61d0b08f8a953130100a	release_alice	\N	2026-11-28 02:34:56.759559+00	\N	\N	\N	\\xf507bde9d09525eda8fc05e96d0a1e226721babf32c3a5d1a2d4ce23efb7094d	779	71	\N
ver/sions	2	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/n}	\\xa6fbfe87ad0af8c5600e2f4866a15f8672bbdc1c2646ff0dbb397903a9d870e4	release_alice	\N	2026-11-28 02:34:56.762232+00	\N	\N	\N	\\x38afc1bc3b6e02eb86676664695448766108b825a4af724a6f75fcaba84ff3cd	780	74	\N
ver/sions	3	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\xbe0b14ab46c0afa0179bf3038c86284bda97076d10ebe2d9fe2e53f537da6ee5	release_alice	\N	2026-11-28 02:34:56.762816+00	\N	\N	\N	\\x84f0e0fc7ecd6e0033a7c3916248cc2ec0bdf098c96a3e0dfe03fb8c19bd545d	781	88	\N
ver/sions	4	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x666799db3a1416d715c8ec8ea4d6be8a9c5798f9417c140953143353d45f59c1	release_alice	\N	2026-11-28 02:34:56.763299+00	\N	\N	\N	\\xe73c3b8f17930f289285663234a42cce4f6d6caa853e7e76f39900622d45fcd9	782	113	\N
ver/sions	5	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x34745759be057652a97425f704d36af15063acbc43143e20c1d336aa57f91312	release_alice	\N	2026-11-28 02:34:56.764378+00	\N	\N	\N	\\xc0f258b78af01f882dfc76cd0a80550c70446cc83f5679d82e53da003a194b90	783	149	\N
ver/sions	6	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x62dcb7c8fae5c2d5434ae921b5e8c3e6ffa6a7098e259612bce9202478300c7f	release_alice	\N	2026-11-28 02:34:56.767855+00	\N	\N	\N	\\x551e0ef36ce1350d389011293cd18ef3c46c2e20e7d38cc0d52a245e3d1b2bd7	784	196	\N
ver/sions	7	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x3965105d35f0e1e99f6f79dc3d5205329947fd0821f2bb0da3e22fcd56d88df3	release_alice	\N	2026-11-28 02:34:56.76856+00	\N	\N	\N	\\x5dcfd9c2a6e0527aa9c6345a7255d0226a4a95c4c7ea6ba7de66a398c5f6c1b0	785	254	\N
ver/sions	8	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\xe7715a10658983fedb544c7aefa6f71207af161d93631aeb6435412a7eb470b0	release_alice	\N	2026-11-28 02:34:56.768998+00	\N	\N	\N	\\xb620820dc77b73e6532416d96b2d9a8dd4458e833887dead6e89f70c447a743f	786	323	\N
ver/sions	9	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x84bf9a8add9affc293b148e6e430b666e69dd664d93d9704905beb536f367441	release_alice	\N	2026-11-28 02:34:56.769374+00	\N	\N	\N	\\x93219e434a925fc34ef4c3f7916884f03489b0e379ee59db6cc2a4e7353c9a31	787	403	\N
ver/sions	10	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x05d12de0b8705c52580c079a2fed06405cc78f6dc80da60ac4ab56b6ae46f493	release_alice	\N	2026-11-28 02:34:56.769773+00	\N	\N	\N	\\xa5a866f92fff960e30264ad3e03b5394db5ed6282005c9af8fc47561d9abc146	788	494	\N
ver/sions	11	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\xf5f8d9e50b99b39c4580b3e4739788e8432994cdebc942a123330a429e27fa06	release_alice	\N	2026-11-28 02:34:56.770125+00	\N	\N	\N	\\x72cf634d568acba71aefdb59a91307159367784d982ed7ab7dfaecbf948b078e	789	596	\N
ver/sions	12	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x4680ff325240ebd2f2ebfb36807cb9dc964289a2283fb51a1b0852be5017ab28	release_alice	\N	2026-11-28 02:34:56.770495+00	\N	\N	\N	\\x2bf3961c6522f2ae86c5a4d2d1410cd7fa24557f7e4b97c79fe8233fefd38347	790	710	\N
ver/sions	13	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x26b42f9cb39ec7ce3556102ad9597fabda2081d2d6e504a6a9ed3d6cf552d2e7	release_alice	\N	2026-11-28 02:34:56.770884+00	\N	\N	\N	\\xbe72784f6228f7d8b5257889afcd50231048ae0c504a64e6ef486b6815edeecd	791	836	\N
ver/sions	14	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x615faf1df7522b41b72ba3e3027bfa3cc3d326ab8498f39412dc974e1624c273	release_alice	\N	2026-11-28 02:34:56.771236+00	\N	\N	\N	\\x16e4b7cc7f1c9d8c22bc259217e657759ad6f249eebc23621919e7c8516a745a	792	974	\N
ver/sions	15	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x6fcd17408b3b8302dc7cdbf78f20e75f874fe45e8fc3db77debd4a386f9b7812	release_alice	\N	2026-11-28 02:34:56.775317+00	\N	\N	\N	\\x4c574c68143b0dcf5776d0523779257ffad3c9066b61fa904c646e65ba41c214	793	1124	\N
ver/sions	16	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\xdc006e6dbe953e5c015eee9d5798e86e2f5e8e058c37d74e1c8eb2a1bc342f53	release_alice	\N	2026-11-28 02:34:56.776048+00	\N	\N	\N	\\xdec19c0a878900842b26b6196e2abdda8854c96d94dc6626159c34fab605317e	794	1286	\N
ver/sions	17	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x7e4d5cb26385d922a39ea3d031ea21b6a30aa3a6675f35ce8d0d610127b2df96	release_alice	\N	2026-11-28 02:34:56.776476+00	\N	\N	\N	\\xb373d91965e7cff0097b1fce7473545bd78f8c41effdbc3924903f1990938519	795	1460	\N
ver/sions	18	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x15fdf701cdfdde94c75a30aae141d8fd9bd3b9297abdbd35ecdd8be4e1b157cb	release_alice	\N	2026-11-28 02:34:56.777065+00	\N	\N	\N	\\xcb983680744c420da3a6db647ce09475a97981906e0e9bf5246aa5b64f008507	796	1646	\N
ver/sions	19	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\xb142a57a850a2ddb8eacb09330be5957372d19b44e3ab7b4facc8b2244161f25	release_alice	\N	2026-11-28 02:34:56.777489+00	\N	\N	\N	\\x0dae07f8ebe95b8a8f54d7173096cfd51c403394fe835880180d67bb042596a7	797	1844	\N
ver/sions	20	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x36b8afca45c0b407a3716874e9530b316437d2993106afc521d80e08926db748	release_alice	\N	2026-11-28 02:34:56.777854+00	\N	\N	\N	\\x31d415554f10ba46dd799747afaee81c2a5be84d2de0bcf48d85b8dab0ae8a10	798	2054	\N
ver/sions	21	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\xebd137860cb0f1ce2aab6ac3286d0014029d6e319379971635f967b16ffdd66f	release_alice	\N	2026-11-28 02:34:56.778174+00	\N	\N	\N	\\x5df4ddc64ccc8f552172cf704a9530938db698bdcb3d214f715ac94ab726bbc4	799	2276	\N
ver/sions	22	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x3e0bbfb03931f4d82a2b8975ceac65f3a13b76eea5559fc905a283227db19cfb	release_alice	\N	2026-11-28 02:34:56.778524+00	\N	\N	\N	\\x017df8034bb133bb414a3542b78d860ab71460f3e6b1b2d474da9d0d2815096d	800	2510	\N
ver/sions	23	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x3b73463a10b1ee0744499181e542a494709e5feb86a0c7e226e1725a002721aa	release_alice	\N	2026-11-28 02:34:56.77892+00	\N	\N	\N	\\x8dd64d93086eb4e7725b34699b67a16cff213ed898f7988d7982c64768b063a2	801	2756	\N
ver/sions	24	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x929d3ebbff7ad50c3781b7875fe15bb764d5dd4050252ebba326fb70f3c7019f	release_alice	\N	2026-11-28 02:34:56.779276+00	\N	\N	\N	\\xa51afc804cc17f925b0bd7a38c0c2d0188579ffddeccc0c88d72a7aa0d52bb7e	802	3014	\N
ver/sions	25	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\xa0300a7d3091fc580f004d6419f70a1c9f2da26e57e7e5b78990ed88e0c4a8f4	release_alice	\N	2026-11-28 02:34:56.780939+00	\N	\N	\N	\\x1886b27be298eefd02e05f897a1d7c92681ba604c39c48e04634436e8e2c2f8a	803	3284	\N
ver/sions	26	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\xe454b06ada0efe8fb7580e28f703a64cbe1b6d1b960bb1d5237a91433b6f70e6	release_alice	\N	2026-11-28 02:34:56.781335+00	\N	\N	\N	\\x786ffe4e6521cf197233195b7606892009bfa36e9188e327180423f1ffecb2ab	804	3566	\N
ver/sions	27	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\xc660966e8c4fefb40644cc4fbb414208e7e14a3c47b26101113a47557c8459c6	release_alice	\N	2026-11-28 02:34:56.784186+00	\N	\N	\N	\\x1df2e2007e6c8cb853156d30119a7f3f4e5d196530509af878df6b18d7222b1a	805	3860	\N
ver/sions	28	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x5c578800e17f41b603c5b67407ded46b9bbb4a4cd1a6a6e07f91aa3d3d2c14f9	release_alice	\N	2026-11-28 02:34:56.784859+00	\N	\N	\N	\\x72cd29fdbec0651fc3af36c8afdb5e593e09d4a7552d65b8c293081aae9a5146	806	4166	\N
ver/sions	29	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\xe6c10d9582e42a823880a8c3a0c487980773201a42fb25361a9dcb4ecdfd1999	release_alice	\N	2026-11-28 02:34:56.785294+00	\N	\N	\N	\\x0172ae4a9f44a3521d6beea4e9ff8ec72eb813b75ee6471ff3e05c535f2727d0	807	4484	\N
ver/sions	30	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\xa88da1b3864be2cbe660063fa45f5848342b6e641fae22079b8c2f248db6312b	release_alice	\N	2026-11-28 02:34:56.787386+00	\N	\N	\N	\\x2238af4dc76899ef42aeb0dd3ee5f9b51f5328c374376beedb1de4adbbb5abc9	808	4814	\N
ver/sions	31	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x7dbf24e108fd9f8fb788ab84aa9d1a2d347efc7fdb88e234b7decdac6e0f06a4	release_alice	\N	2026-11-28 02:34:56.787856+00	\N	\N	\N	\\x53a89f8f902ffcf3afed950a7ae2b125915ec431820278d63c61cacc7b5caef5	809	5156	\N
ver/sions	32	checkpoint.created	{"metadata": {}}	\\xc3642e5d26fe5583bb25b11b914d013b5077b39cfc4b9b7f634912d4215863c1	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-28 02:34:56.788501+00	\N	manual	mark	\\xc300a851b48320a8a3bc63c2100772c126987925bd991c0547eba84a3c7396fc	810	0	32
ver/sions	33	variables.unset	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/a,variable/ünï}	\\xdf5e0887d646ed4b857c8f366489030ce72b790c22ced605e2a92639b5c7e7ed	release_alice	\N	2026-11-28 02:34:56.791859+00	\N	\N	\N	\\x5b35d15ddf63fb54006a57d67b45f7aff305a662faad589206b5546de9be65a0	811	2	32
ver/sions	34	mail.sent	{"to": "x"}	\\x15a3f1be8a2eff25e348c912edea400ed502b307aa8c71b52c2740f610bd7c45	{variable/sent}	\\x1b23af9b16fd11acfd21b76584edd870e33ae33365fd91605dc591ef4c794945	release_alice	\N	2026-11-28 02:34:56.792366+00	mail	\N	\N	\\x752255cdab68dfb6c43e52313c45b998bbf7799b2ca3451304761977e0b28ced	812	414	32
ver/sions	35	run.rolled_back	{"reason": "went wrong", "status": "running", "to_version": 20}	\\x45fef288356401d69533ae132c5b8447f31a504067ccd30671da09a04d435057	{variable/a,variable/list,variable/n,variable/sent,variable/ünï}	\\x39eb14ec4ee1e6c07a4f35ea617361342a6abf6bd916099a6ca7839a80b05255	release_alice	\N	2026-11-28 02:34:56.793356+00	\N	\N	\N	\\x0c86fe52aced7ee1d04dc6460f608c56df37070d4905c8d5b206359fad98e46c	813	477	32
ver/sions	36	run.rolled_back	{"label": "mark", "reason": "that was right", "status": "running", "to_version": 32}	\\xf1c1e9ecaf05376e9466e2ac06835f5ffc9d6cce582cb312ec1bc74da90576c2	{variable/list,variable/n}	\\x7dbf24e108fd9f8fb788ab84aa9d1a2d347efc7fdb88e234b7decdac6e0f06a4	release_alice	\N	2026-11-28 02:34:56.803019+00	\N	\N	\N	\\x6789632874f5aecf8bdc8b7c65b4c1edb738112ab158cb488747fcaef6724e39	814	561	32
ver/sions	37	checkpoint.protected	{"label": "mark", "version": 32}	\\x525d3a5a7f3aab6798621807bf25028572cdf0f7eeb1d239e8d4c0223ffa24e5	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-28 02:34:56.810942+00	\N	\N	\N	\\x53209ed767a4645527eaf430d792fb9a062e0091f88d5782ef417802d3cc99aa	815	593	32
lists	1	state.saved	{"owner": "release_alice", "metadata": {}}	\\x9912479fe58caba7a67975471909a58bb411b80d493d492f7dc825c2d2bbec01	{context/n/-1,context/n/0,context/n/1,context/n/2,context/n/3,context/n/4,context/n/5,context/n/6,context/n/7,context/n/8,context/n/9,context/n/10,context/n/11,engine/layra.document,engine/stack}	\\x80dcdbc73865188a989bf1ef2182abca8671420f8e754126f6c4b06a2cfcecc5	release_alice	\N	2026-11-28 02:34:56.815044+00	\N	\N	\N	\\xb30e81c0b7ebb02ab946b3c2c51ecf4cf5f13ab76bd4091d26fb582b1c149576	816	179	\N
lists	2	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{context/n/-1,context/n/7,context/n/8,context/n/9,context/n/10,context/n/11,engine/stack}	\\xfc646f11e1a55d5534c40c681838b082178a79e223e78b2825700fa5b2cdf520	release_alice	\N	2026-11-28 02:34:56.81636+00	\N	\N	\N	\\x452dca92e0459d6175fcdee3415f9b725e835546635be189b03c5a5478a9e128	817	206	\N
lists	3	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{context/n/-1,context/n/7,context/n/8,engine/stack}	\\x04ad47daf491dfd17148640bbfbf3792049ed49b89ca0d88cd7305b882987739	release_alice	\N	2026-11-28 02:34:56.816908+00	\N	\N	\N	\\x69ff79a8f1af582490b6c905faa0e2e14ee606dc72d2e4d83d01071e6120e6bf	818	249	\N
lists	4	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{context/n/-1,context/n/0,context/n/1,context/n/2,context/n/3,context/n/4,context/n/5,context/n/6,context/n/7,context/n/8,engine/stack}	\\x361157a70d72cc64712fa15014c0cb7776aa3d77423d06b8f835cacb050cf5b8	release_alice	\N	2026-11-28 02:34:56.817357+00	\N	\N	\N	\\xa4f2ac3b949c37cfc10f0aed44f0641a174dae5a11819b1b7d02dd8b6686433c	819	276	\N
lists	5	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{context/n/-1,context/n/0,context/n/1,context/n/2,engine/stack}	\\x4d0f7049aabd989694134a35ec36602ea11387aa669f155c8c067515f6c2b83b	release_alice	\N	2026-11-28 02:34:56.817863+00	\N	\N	\N	\\x4cdb7cf12c3adb583aca8e6270c55d6b648a400ee3e6fce450fa3c265345be06	820	327	\N
parent	1	run.started	{"owner": "release_bob", "metadata": {}}	\\x905a1c47e4f1046d364ff37ba276450d643846057000658ee101e5ca9ff07306	{variable/a}	\\x4c08164e79d213ac0a0cdae97d4e864b039deb36910c8029d8d75cce57938abe	release_bob	\N	2026-11-28 02:34:56.822911+00	first	\N	\N	\\x30b8497ce69fc826bf37bab3c5e9fa5092ff328c96c90d565f1a58b88efed495	821	41	\N
parent	2	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/a}	\\xb514c6df4802e6c7eb77a6559492035e259ceec42baf881e73ee82f0d312d119	release_bob	\N	2026-11-28 02:34:56.826978+00	second	\N	\N	\\xf20d4370d26638b1b307d514760628d1c16938f115a0846d96bb567e80fcdcbd	822	44	\N
child	1	run.forked	{"owner": "release_bob", "parent": {"hash": "f20d4370d26638b1b307d514760628d1c16938f115a0846d96bb567e80fcdcbd", "run_id": "parent", "version": 2}, "metadata": {}}	\\xf49cea0f23cf213812b7fd53ca30fe3e4ea727e4120e87a93be5a036db15a367	{variable/a}	\\xb514c6df4802e6c7eb77a6559492035e259ceec42baf881e73ee82f0d312d119	release_bob	\N	2026-11-28 02:34:56.830381+00	\N	\N	\N	\\xbbd01027725c12156f06fd0adf239b18f4d0ef96d2cb123667d6608750605a23	823	162	\N
grandchild	1	run.forked	{"owner": "release_bob", "parent": {"hash": "bbd01027725c12156f06fd0adf239b18f4d0ef96d2cb123667d6608750605a23", "run_id": "child", "version": 1}, "metadata": {}}	\\xd33f2839f06df380cfb5d4a3347128296c3fa5c2a808728ea624f2bd2dba9317	{variable/a}	\\xb514c6df4802e6c7eb77a6559492035e259ceec42baf881e73ee82f0d312d119	release_bob	\N	2026-11-28 02:34:56.837673+00	\N	\N	\N	\\xb84eec399b347e1137334aedba19342abdeb42475d14afd2f5189de0c042cef9	824	161	\N
grandchild	2	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/b}	\\xcc18b2b8517085f486b2d8028d976f17834383005551ec54a086682e0dd8c574	release_bob	\N	2026-11-28 02:34:56.838846+00	\N	\N	\N	\\x6cfbc78d4c40b37e0f64fa79c9c39f5c4583209da2ed473cb103b31025066894	825	164	\N
orphan	1	run.forked	{"owner": "release_bob", "parent": {"hash": "cf04aeac89d8b7f2b6c5b0889d013d0f13986b1257b15d579506913b86342d21", "run_id": "gone", "version": 1}, "metadata": {}}	\\x4f987a9b16328365e62ff6cf6a3bb4ee1a85f7290823f173587521b70690b568	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_bob	\N	2026-11-28 02:34:56.839902+00	\N	\N	\N	\\xd35506a7b65fe41a22900aff67b1ebbbfdae24be419909450ae7f9991b9e3080	827	160	\N
parent	3	run.finished	{"result": {"why": "x"}, "status": "failed"}	\\x57cf71a49f3e1720389b100842766aa8bbe30862d49d4b34f9f5c8c6820c2b67	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_bob	\N	2026-11-28 02:34:56.847817+00	\N	\N	\N	\\x6d2f1705345280ff24d6f027412a6c1083bfc24e997c81b9647db3be57cb1dda	829	88	\N
parent	4	run.reopened	{"reason": "again"}	\\xe59cbd6c26c53b7bc87103bb6c0c71e10c543521de353141feabca8018438764	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_bob	\N	2026-11-28 02:34:56.849072+00	\N	\N	\N	\\xa092132b9bfe5fde02763bea95654f43c5b1293410e8d596f83463c7b6404eda	830	107	\N
child	2	run.cancelling	{"reason": "no more"}	\\x6394414b5598f7eb03f7fe5466feabfa5e5493d4eaee7e432560ae1a36c82e07	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_bob	\N	2026-11-28 02:34:56.849728+00	\N	\N	\N	\\x69c0af3b42abc17d536e04f7ebca22dcfdf8a534c1e338a89c86fb996b7b2882	831	183	\N
grandchild	3	run.finished	{"status": "completed"}	\\x9775cc77ce4151d1e36df2f4ca2278deb0d8e0a3b536b4841f5f09a709432fb2	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_bob	\N	2026-11-28 02:34:56.850683+00	\N	\N	\N	\\xf5afd33f73a6844372891f42034e925f438ce63ce7a790ab4c0bea6bb624edb2	832	187	\N
defined	1	run.started	{"owner": "release_alice", "metadata": {}, "workflow": {"hash": "d1e3718078329f111aa3497c0cf6c5488c274866f050a99265f3c71989af927c", "name": "billing", "owner": "release_alice", "version": 1}}	\\x3615c6fb7ca23ed879da78ea9a99d4802a0f689b3a13ba23a3a48a2e0270ef68	{engine/layra.graph,variable/total}	\\x9d834b532344ac6186d9b7dbf2e6ef6ac619da7782963ed20648e11e9a8058b5	release_alice	\N	2026-11-28 02:34:56.880023+00	\N	\N	\N	\\xe314a59092d3f5c5358b636a23e14f2759efddea4952aa75c15ce789573616c1	836	294	\N
defined	2	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/total}	\\x6f0b2efd153848f496d4d311d276596bd7e168445401f4378318f0212b27bda4	release_alice	\N	2026-11-28 02:34:56.881339+00	\N	\N	\N	\\x7a80b4151f0bbf6d9762da1f1ec226cf934daf1aa10cea65d216f7ddbbd91c4a	837	301	\N
of shared	1	run.started	{"owner": "release_alice", "metadata": {}, "workflow": {"hash": "d1e3718078329f111aa3497c0cf6c5488c274866f050a99265f3c71989af927c", "name": "shared flow", "owner": "release_admin", "version": 1}}	\\x6bd61bcf4581f0459df59e0c4d1c6a2ae335230d9a1c3cb4b3314875c0e1ff34	{engine/layra.graph,variable/total}	\\x9d834b532344ac6186d9b7dbf2e6ef6ac619da7782963ed20648e11e9a8058b5	release_alice	\N	2026-11-28 02:34:56.881998+00	\N	\N	\N	\\xaaf5d1321e6d5cda1f6c98c2746fd63fc4b5dba52deef81e14d3bd264c76b370	838	298	\N
at work	1	run.started	{"owner": "release_alice", "metadata": {}, "workflow": {"hash": "5daaa1cb804870d087143b79206e366a192d5a7b896e659005f741da764dec3d", "name": "billing", "owner": "release_alice", "version": 2}}	\\x452468804e1a325dbf76cb40de247ccce7fb278a0406acb58c53351fc7d7bab2	{engine/layra.graph,variable/total}	\\xcd40d68537ca8ebdd5038d108d961c2b5316341dbd4837211463529600286cb1	release_alice	\N	2026-11-28 02:34:56.896071+00	\N	\N	\N	\\x90fb2c14b7ae29cb7d715bc1c75ceb05ae2fc7f5a0cca490111b1c9a636a0222	839	294	\N
at work	2	node.started	{"worker": "w1", "attempt": 1, "node_id": "s"}	\\x8edaf1b9105eeefe972b9c6085c6d12de83f3cc853dfe4ff7b696a4cba97d2af	{node/s}	\\xc8372e21c92ec1bc3334b721f042f48475b2f2077ca262d7479dd2bcbc4e8cdb	release_alice	\N	2026-11-28 02:34:56.900585+00	\N	\N	\N	\\x51548c7ef837914b9bcf54698e19fbe59af0859701ca29da96302fb10305dbb9	840	407	\N
at work	3	node.completed	{"attempt": 1, "node_id": "s"}	\\x21dd40f80b6ac855f9d38f18876e7b3ab380070c34f07ea2b5782baa724b4dee	{context/s/-1,context/s/0,node/s,variable/total}	\\xd32c9404633b0518819316d0c882faaba6dd25fd50b9c31a7b0b8ad3733169c3	release_alice	\N	2026-11-28 02:34:56.902732+00	\N	\N	\N	\\x77f75534b8abcca2bb9f95429bf3890da56b369fdbd5f3b754216bdd80c75687	841	536	\N
at work	4	node.started	{"worker": "w2", "attempt": 1, "node_id": "e"}	\\x0eae41d1040662125e97201c9d9f0be81122090d0403bc80bddcaf95a52fd0e5	{node/e}	\\x9b1a4a40538a1405a999b48e68b784fde19c42afb589174c48bdf798089b385d	release_alice	\N	2026-11-28 02:34:56.904168+00	\N	\N	\N	\\xbf450537acd4a2d43e7f190c4c30ca0eecfe44c29e4bc1bc1991c564f489de7a	842	649	\N
at work	5	node.failed	{"attempt": 1, "node_id": "e"}	\\xb24f1d9ee138ae7a79775fb178311bd57f8d9011adb608817e8b37d258178a5c	{node/e}	\\x6846b168851201220cb2e99bebe69c3e66ce85e602459a1a6252205050d2596d	release_alice	\N	2026-11-28 02:34:56.905149+00	\N	\N	\N	\\x185b03aeef89d83332a04334ebeeb94c99aec2d953a3274d39fce24c4bc9f815	843	754	\N
at work	6	node.started	{"worker": "w2", "attempt": 2, "node_id": "e"}	\\x6144bf63d5a9311a8549e08366afc3ce922567902b9a57759c13eba5b001729c	{node/e}	\\xe8dfffa122aa45b130018243766dac2ccaae765c3c6056d55aa94dd45ca904d4	release_alice	\N	2026-11-28 02:34:56.912126+00	\N	\N	\N	\\x5db0827b263d6d43fe2a1e55c016119eea58ca446671dedf90983fcf2359924f	844	867	\N
looping	1	run.started	{"owner": "release_alice", "metadata": {}}	\\x9912479fe58caba7a67975471909a58bb411b80d493d492f7dc825c2d2bbec01	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-28 02:34:56.913184+00	\N	\N	\N	\\xa86a2d15203758c2e24d001b7d841641900ed2f9260b18079f734b0d4b1728c2	845	42	\N
looping	2	loop.entered	{"max": 3, "index": -1, "loop_id": "l"}	\\xe6f4a1465751b4b1e7c893aeacf81aa87f3b9112016fe9b3680d95d1c6057ff5	{loop/l}	\\x5cb3e3bb67b21e1e3bd007d63c18289c2f74c3a9076e124a790a7eed3784a46a	release_alice	\N	2026-11-28 02:34:56.913954+00	\N	\N	\N	\\xf06660c19f9f4c2a2af741c2163aeeb77fa68552f6be0c3a0854d3e0c83a3bc1	846	120	\N
looping	3	loop.iteration	{"index": 0, "loop_id": "l"}	\\x97bc9936c1fbfb3e5fda5faa2626469671a24b1365461e6d0712ed9aca69ccb3	{loop/l}	\\x1b7d3f4a1aec2dc17dd72e9b72650b3bdc546dab7057d9ad01ed14c552431162	release_alice	\N	2026-11-28 02:34:56.914446+00	\N	\N	\N	\\xa42e51f4ed7856eb9123f1be2c986fa6d73287379d094ed28aad4393d48cbb19	847	186	\N
at work	7	state.engine_set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{engine/execution_stack}	\\x88cc723091e32f4b6bb57ec035ee7758289ef4a092bf6ae6ff204d992c1436b0	release_alice	\N	2026-11-28 02:34:56.914971+00	\N	\N	\N	\\xa14eca42ab21c854eedee44ff6a020c79702b76f4c871bb6bda114f1dccc0b23	848	874	\N
at work	8	interaction.requested	{"prompt": {"question": "?"}, "node_id": "e", "interaction": "9dc8e4ff-1c95-4693-ad8b-276a821cec5a"}	\\x51343b553323d653c0ae42354d26b22b64c0d161bf30526b4db0d6467e8d0165	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-28 02:34:56.915513+00	\N	human	interaction 9dc8e4ff-1c95-4693-ad8b-276a821cec5a	\\xc38a5b7fffe2fa153f88293a4cfdbfdd5e648183d9c6e3749bbbe4803b249905	849	0	8
at work	9	interaction.answered	{"status": "running", "response": {"ok": true}, "interaction": "9dc8e4ff-1c95-4693-ad8b-276a821cec5a"}	\\xa94c69b98f9bcc3d46943909793d198d7c082aa484e7a2bc5f8ec7c296344614	{variable/total}	\\x55dd30bdecdc5738a3bf60a913c0d1627719f165a321c082ef2e3aa0d3360b23	release_alice	\N	2026-11-28 02:34:56.924761+00	\N	\N	\N	\\x7d8a75fdd0b6e857d7b708a9d65a6690586c1dbbd64e37e2f5eca0cc7dd2513e	850	103	8
at work	10	interaction.requested	{"prompt": {"question": "still?"}, "node_id": "e", "assignee": "bob", "interaction": "fe67df2e-9a94-4c11-aedf-3afc1f54c3e1", "response_schema": {"type": "object"}}	\\xe4baf0f66014d0cea9d3b7a73e1159a7f7eb77693671095a63ca20499744d935	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-28 02:34:56.933224+00	\N	human	interaction fe67df2e-9a94-4c11-aedf-3afc1f54c3e1	\\x304e984dda555972535c55b7c4b2fd94eb734a81ac5fd88136693c044caf8cb9	851	0	10
\.


--
-- Data for Name: event_type; Type: TABLE DATA; Schema: layra; Owner: -
--

COPY layra.event_type (owner, type, shared, schema, created_at) FROM stdin;
release_alice	mail.sent	f	{"type": "object"}	2026-11-28 02:34:56.945404+00
\.


--
-- Data for Name: graph; Type: TABLE DATA; Schema: layra; Owner: -
--

COPY layra.graph (owner, hash, nodes, edges, xact) FROM stdin;
release_alice	\\x9806700c9cd9e7e3ead25c22b4efdb910aeed3e8487dd9b06adb706e907571be	[{"id": "node_start", "data": {"name": "Start"}, "type": "start"}, {"id": "n_init", "data": {"pip": {}, "code": "import json\\nsections=['Background','Method','Results']\\nsection_index=0\\nreport_title='Quarterly retrieval audit'\\nmetrics={'accepted':0,'revised':0,'by_section':{}}", "name": "Init", "remove": false, "timeout": 60, "imageUrl": ""}, "type": "code"}, {"id": "loop_sections", "data": {"name": "Sections", "loopType": "count", "maxCount": 3, "condition": ""}, "type": "loop"}, {"id": "n_plan", "data": {"pip": {}, "code": "if current_section: metrics['by_section'][current_section]={'rounds':draft_round,'chars':total_chars}\\nprogress=round(section_index/len(sections),4)\\ncurrent_section=sections[section_index]\\nsection_index=section_index+1\\ndraft_round=0\\nhits=[{'doc':'D%03d'%(section_index*7+i),'page':i+1,'score':round(0.91-0.07*i,3)} for i in range(5)]", "name": "Plan section", "remove": false, "timeout": 60, "imageUrl": ""}, "type": "code"}, {"id": "loop_rounds", "data": {"name": "Rounds", "loopType": "count", "maxCount": 4, "condition": ""}, "type": "loop"}, {"id": "n_draft", "data": {"name": "Draft", "mcpUse": {}, "prompt": "You are drafting {{ report_title }}", "vlmInput": "Draft {{ current_section }} round {{ draft_round }}", "modelConfig": {"model_name": "local"}, "useChatHistory": false, "isChatflowInput": false, "isChatflowOutput": false, "chatflowOutputVariable": "draft"}, "type": "vlm"}, {"id": "cond_quality", "data": {"name": "Quality gate", "conditions": {"1": "confidence >= 0.7", "2": "confidence < 0.7"}}, "type": "condition"}, {"id": "n_accept", "data": {"pip": {}, "code": "accepted=accepted+[current_section+'#'+str(draft_round)]\\nmetrics['accepted']+=1\\ndraft_round=draft_round+1\\ntotal_chars=total_chars+len(draft)\\nhistory=history+[{'section':current_section,'round':draft_round,'confidence':confidence,'chars':len(draft)}]", "name": "Accept", "remove": false, "timeout": 60, "imageUrl": ""}, "type": "code"}, {"id": "n_revise", "data": {"pip": {}, "code": "revisions=revisions+1\\nmetrics['revised']+=1\\nfeedback='raise confidence above '+str(threshold)\\ndraft_round=draft_round+1\\ntotal_chars=total_chars+len(draft)\\nhistory=history+[{'section':current_section,'round':draft_round,'confidence':confidence,'chars':len(draft)}]", "name": "Revise", "remove": false, "timeout": 60, "imageUrl": ""}, "type": "code"}, {"id": "n_review", "data": {"name": "Human review", "mcpUse": {}, "prompt": "You are drafting {{ report_title }}", "vlmInput": "", "modelConfig": {"model_name": "local"}, "useChatHistory": false, "isChatflowInput": true, "isChatflowOutput": false, "chatflowOutputVariable": "review"}, "type": "vlm"}, {"id": "n_final", "data": {"pip": {}, "code": "approved=True\\nprogress=1.0\\nreport={'title':report_title,'sections':accepted,'metrics':metrics,'review':review[:60]}", "name": "Finalize", "remove": false, "timeout": 60, "imageUrl": ""}, "type": "code"}]	[{"id": "node_start-out-n_init", "source": "node_start", "target": "n_init", "sourceHandle": ""}, {"id": "n_init-out-loop_sections", "source": "n_init", "target": "loop_sections", "sourceHandle": ""}, {"id": "loop_sections-loop_body-n_plan", "source": "loop_sections", "target": "n_plan", "sourceHandle": "loop_body"}, {"id": "n_plan-out-loop_rounds", "source": "n_plan", "target": "loop_rounds", "sourceHandle": ""}, {"id": "loop_rounds-loop_body-n_draft", "source": "loop_rounds", "target": "n_draft", "sourceHandle": "loop_body"}, {"id": "n_draft-out-cond_quality", "source": "n_draft", "target": "cond_quality", "sourceHandle": ""}, {"id": "cond_quality-condition-1-n_accept", "source": "cond_quality", "target": "n_accept", "sourceHandle": "condition-1"}, {"id": "cond_quality-condition-2-n_revise", "source": "cond_quality", "target": "n_revise", "sourceHandle": "condition-2"}, {"id": "n_accept-loop_next-loop_rounds", "source": "n_accept", "target": "loop_rounds", "sourceHandle": "loop_next"}, {"id": "n_revise-loop_next-loop_rounds", "source": "n_revise", "target": "loop_rounds", "sourceHandle": "loop_next"}, {"id": "loop_rounds-loop_next-loop_sections", "source": "loop_rounds", "target": "loop_sections", "sourceHandle": "loop_next"}, {"id": "loop_sections-out-n_review", "source": "loop_sections", "target": "n_review", "sourceHandle": ""}, {"id": "n_review-out-n_final", "source": "n_review", "target": "n_final", "sourceHandle": ""}]	735
release_alice	\\x3c2fdcb8ae144e69127a598785a57d5c601eb079d07ec2dad606d0d1855237ac	[{"id": "s", "type": "start"}, {"id": "e", "type": "end"}]	[{"source": "s", "target": "e"}]	833
release_alice	\\x3f97bc0876890987cb2ee1bdbb05208107cb5ff3bff4cacc3e0070a7c49e9db4	[{"id": "s", "type": "start"}, {"id": "e", "type": "end"}]	[]	834
release_admin	\\x3c2fdcb8ae144e69127a598785a57d5c601eb079d07ec2dad606d0d1855237ac	[{"id": "s", "type": "start"}, {"id": "e", "type": "end"}]	[{"source": "s", "target": "e"}]	835
\.


--
-- Data for Name: handler; Type: TABLE DATA; Schema: layra; Owner: -
--

COPY layra.handler (type_pattern, function, workflow, created_by, created_at) FROM stdin;
mail.*	public.nothing(pg_catalog.text,bigint,pg_catalog.text,pg_catalog.jsonb)		release_admin	2026-11-28 02:34:56.955183+00
\.


--
-- Data for Name: inheritance; Type: TABLE DATA; Schema: layra; Owner: -
--

COPY layra.inheritance (run_id, source, version, distance) FROM stdin;
orphan	6d384608-575d-4f37-96e2-db138b9bb33e	1	1
\.


--
-- Data for Name: inherited_key; Type: TABLE DATA; Schema: layra; Owner: -
--

COPY layra.inherited_key (run_id, idempotency_key, type) FROM stdin;
\.


--
-- Data for Name: interaction; Type: TABLE DATA; Schema: layra; Owner: -
--

COPY layra.interaction (run_id, id, version, node_id, status, prompt, response_schema, assignee, created_at, expires_at, closed_version, response, response_hash, answered_by, answered_for, owner) FROM stdin;
at work	9dc8e4ff-1c95-4693-ad8b-276a821cec5a	8	e	answered	{"question": "?"}	\N	\N	2026-11-28 02:34:56.915513+00	\N	9	{"ok": true}	\\xe07f2e89f81d97ec1c03a2136a2ce7eb49ccaf507248636cc42a76ba117dd2c5	release_alice	\N	release_alice
at work	fe67df2e-9a94-4c11-aedf-3afc1f54c3e1	10	e	pending	{"question": "still?"}	{"type": "object"}	bob	2026-11-28 02:34:56.933224+00	\N	\N	\N	\N	\N	\N	release_alice
\.


--
-- Data for Name: lease; Type: TABLE DATA; Schema: layra; Owner: -
--

COPY layra.lease (run_id, node_id, attempt, worker, until, held) FROM stdin;
at work	s	1	w1	\N	f
at work	e	2	w2	2026-11-28 03:34:56.912126+00	t
\.


--
-- Data for Name: run; Type: TABLE DATA; Schema: layra; Owner: -
--

COPY layra.run (run_id, status, owner, workflow_owner, workflow, workflow_version, definition_hash, parent_run_id, parent_version, metadata, result, created_at, finished_at) FROM stdin;
recorded	running	release_alice	\N	\N	\N	\N	\N	\N	{}	\N	2026-11-28 02:34:56.622432+00	\N
ver/sions	running	release_alice	\N	\N	\N	\N	\N	\N	{"by": "hand"}	\N	2026-11-28 02:34:56.759559+00	\N
lists	running	release_alice	\N	\N	\N	\N	\N	\N	{}	\N	2026-11-28 02:34:56.815044+00	\N
orphan	running	release_bob	\N	\N	\N	\N	\N	0	{}	\N	2026-11-28 02:34:56.839902+00	\N
parent	running	release_bob	\N	\N	\N	\N	\N	\N	{}	\N	2026-11-28 02:34:56.822911+00	\N
child	cancelling	release_bob	\N	\N	\N	\N	parent	2	{}	\N	2026-11-28 02:34:56.830381+00	\N
grandchild	completed	release_bob	\N	\N	\N	\N	child	1	{}	\N	2026-11-28 02:34:56.837673+00	2026-11-28 02:34:56.850683+00
defined	running	release_alice	release_alice	billing	1	\\xd1e3718078329f111aa3497c0cf6c5488c274866f050a99265f3c71989af927c	\N	\N	{}	\N	2026-11-28 02:34:56.880023+00	\N
of shared	running	release_alice	release_admin	shared flow	1	\\xd1e3718078329f111aa3497c0cf6c5488c274866f050a99265f3c71989af927c	\N	\N	{}	\N	2026-11-28 02:34:56.881998+00	\N
looping	running	release_alice	\N	\N	\N	\N	\N	\N	{}	\N	2026-11-28 02:34:56.913184+00	\N
at work	paused	release_alice	release_alice	billing	2	\\x5daaa1cb804870d087143b79206e366a192d5a7b896e659005f741da764dec3d	\N	\N	{}	\N	2026-11-28 02:34:56.896071+00	\N
\.


--
-- Data for Name: validator; Type: TABLE DATA; Schema: layra; Owner: -
--

COPY layra.validator (workflow, name, function, created_by, created_at) FROM stdin;
billing	none	public.no_problem(pg_catalog.text,pg_catalog.jsonb)	release_admin	2026-11-28 02:34:56.958431+00
\.


--
-- Data for Name: workflow; Type: TABLE DATA; Schema: layra; Owner: -
--

COPY layra.workflow (owner, name, version, shared, definition, hash, created_at) FROM stdin;
release_alice	billing	1	f	{"edges": [{"source": "s", "target": "e"}], "nodes": [{"id": "s", "type": "start"}, {"id": "e", "type": "end"}], "variables": {"total": {"group": "sums", "schema": {"type": "number"}, "default": 0}}}	\\xd1e3718078329f111aa3497c0cf6c5488c274866f050a99265f3c71989af927c	2026-11-28 02:34:56.863462+00
release_alice	billing	2	f	{"edges": [], "nodes": [{"id": "s", "type": "start"}, {"id": "e", "type": "end"}], "variables": {"total": {"group": "sums", "schema": {"type": "number"}, "default": 0}}}	\\x5daaa1cb804870d087143b79206e366a192d5a7b896e659005f741da764dec3d	2026-11-28 02:34:56.865316+00
release_admin	shared flow	1	t	{"edges": [{"source": "s", "target": "e"}], "nodes": [{"id": "s", "type": "start"}, {"id": "e", "type": "end"}], "variables": {"total": {"group": "sums", "schema": {"type": "number"}, "default": 0}}}	\\xd1e3718078329f111aa3497c0cf6c5488c274866f050a99265f3c71989af927c	2026-11-28 02:34:56.878322+00
\.


--
-- PostgreSQL database dump complete
--


